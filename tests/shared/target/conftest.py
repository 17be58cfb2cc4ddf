"""Both kinds of target behind the one interface: a real registry, and a stand-in for Harbor."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from deploy.local.images.image import Image
from deploy.local.servers.harbor.settings import Settings, User
from deploy.local.stack import LocalStackError, Registry, Remote, Scratch
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.digest import Digest
from shared.target.management import TargetManagement
from shared.target.open_target import open_target
from shared.target.settings import TargetKind, TargetSettings
from tests.shared.fixtures import hostile, no_waits
from tests.shared.harbor.conftest import ADMIN, GUEST, MEMBER, PROJECT, StandIn, standing_in

# These fixtures are not used in this file, but by the tests of this folder.
__all__ = ("hostile", "no_waits")

USERS = (
    User(name=ADMIN.username, password=ADMIN.password, admin=True),
    User(name=MEMBER.username, password=MEMBER.password, roles={PROJECT: "developer"}),
    User(name=GUEST.username, password=GUEST.password, roles={PROJECT: "guest"}),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository of a target, with its management client and an independent registry client."""

    management: TargetManagement
    remote: Remote
    repository: str

    async def push(self, image: Image, *tags: str) -> None:
        for tag in tags:
            await asyncio.to_thread(self.remote.push, self.repository, tag, image)

    async def serves(self, reference: str) -> str | None:
        """Return the digest that a client gets for a tag or digest, or None."""
        try:
            return (await asyncio.to_thread(self.remote.manifest, self.repository, reference)).digest
        except LocalStackError as error:
            if "404" not in str(error):
                raise
            return None

    async def remove(self, image: Image, tag: str, *, siblings: bool = False) -> str:
        digest = Digest.parse(image.digest)
        return await self.management.remove_tag(self.repository, tag, digest, siblings=siblings)


@asynccontextmanager
async def managing(
    host: str, kind: TargetKind, credential: Credential | None = None
) -> AsyncIterator[TargetManagement]:
    network = NetworkPolicy.of(plain_http=[host], trusted=True)
    async with open_target(TargetSettings(host=host, credential=credential, kind=kind), network) as management:
        yield management


@pytest.fixture(scope="session")
def behind(scratch: Scratch) -> Iterator[Registry]:
    """The docker-registry behind the stand-in for Harbor."""
    with Registry(scratch, name=f"behind-{secrets.token_hex(4)}") as registry:
        yield registry


@pytest.fixture
async def standin(behind: Registry) -> AsyncIterator[StandIn]:
    """A Harbor with an administrator, a developer and a guest of one private project."""
    async with standing_in(Settings(users=USERS), behind.url) as running:
        running.state.create_project(PROJECT)
        yield running


@pytest.fixture
def repository() -> str:
    return f"{PROJECT}/quay.io/team/{secrets.token_hex(6)}"


@pytest.fixture
async def plain(target_registry: Registry, repository: str) -> AsyncIterator[Place]:
    async with managing(target_registry.host, TargetKind.REGISTRY) as management:
        yield Place(management=management, remote=Remote.of(target_registry), repository=repository)


@pytest.fixture
async def harbor(standin: StandIn, repository: str) -> AsyncIterator[Place]:
    async with managing(standin.host, TargetKind.HARBOR, ADMIN) as management:
        yield Place(management=management, remote=standin.remote(), repository=repository)


@pytest.fixture(params=TargetKind)
def place(request: pytest.FixtureRequest) -> Place:
    """A repository of each kind of target."""
    fixture = "harbor" if request.param is TargetKind.HARBOR else "plain"
    found: Place = request.getfixturevalue(fixture)
    return found
