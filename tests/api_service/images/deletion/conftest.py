"""An API in front of each kind of target, with helpers for the tests of deletions."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web

from api_service.auth.identity import Identity
from api_service.images.deletion import begin as begin_deletion
from api_service.images.deletion.carry_out import DeletionWork
from api_service.images.deletion.resume import resume_deletions
from api_service.images.keys import DELETION
from api_service.parts import Part, images_part
from api_service.settings import Settings
from api_service.web.keys import MANAGEMENT
from deploy.local.servers.harbor.settings import Settings as HarborSettings
from deploy.local.servers.harbor.settings import User
from deploy.local.stack import Registry, Remote
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.roles import Role
from shared.oci.digest import Digest
from shared.target.management import Removal, TargetManagement
from shared.target.settings import TargetKind, TargetSettings
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi, Source
from tests.api_service.managed import PROJECT, Managed
from tests.shared.harbor.conftest import ADMIN, StandIn, standing_in

OWNER = Identity(user="user", role=Role.USER)
OpenManaged = Callable[..., AbstractAsyncContextManager[Managed]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A target with a registry client independent of the product."""

    target: TargetSettings
    remote: Remote


@pytest.fixture
async def standin(target_registry: Registry) -> AsyncIterator[StandIn]:
    """A Harbor in front of docker-registry."""
    admin = User(name=ADMIN.username, password=ADMIN.password, admin=True)
    async with standing_in(HarborSettings(users=(admin,)), target_registry.url) as running:
        running.state.create_project(PROJECT)
        yield running


@pytest.fixture
def plain(target_registry: Registry) -> Place:
    return Place(target=TargetSettings(host=target_registry.host, credential=None), remote=Remote.of(target_registry))


@pytest.fixture
def harbor(standin: StandIn) -> Place:
    target = TargetSettings(host=standin.host, credential=ADMIN, kind=TargetKind.HARBOR)
    return Place(target=target, remote=standin.remote())


@pytest.fixture(params=TargetKind)
def place(request: pytest.FixtureRequest) -> Place:
    """Each kind of target."""
    found: Place = request.getfixturevalue("harbor" if request.param is TargetKind.HARBOR else "plain")
    return found


@pytest.fixture
def opened(open_api: OpenApi, settings: Settings, source: Source) -> OpenManaged:
    """Starts an API in front of a target; `parts` replaces the application's parts."""

    @asynccontextmanager
    async def opened(place: Place, parts: Sequence[Part] = REQUESTS_ONLY) -> AsyncIterator[Managed]:
        async with open_api(replace(settings, shared=replace(settings.shared, target=place.target)), parts) as api:
            yield Managed(api=api, source=source, target=place.remote)

    return opened


@pytest.fixture
async def managed(opened: OpenManaged, place: Place) -> AsyncIterator[Managed]:
    """An API in front of each kind of target."""
    async with opened(place) as managed:
        yield managed


@pytest.fixture
async def on_plain(opened: OpenManaged, plain: Place) -> AsyncIterator[Managed]:
    """An API in front of a plain registry."""
    async with opened(plain) as managed:
        yield managed


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the time that a deletion waits before it begins."""
    monkeypatch.setattr(begin_deletion, "BEGIN_DEADLINE", 0.3)


async def delete(api: Api, image_id: int, **options: Any) -> Answer:
    return await api.call("DELETE", f"{BASE}/images/{image_id}", **options)


def work(managed: Managed) -> DeletionWork:
    found: DeletionWork = managed.api.client.app[DELETION].work
    return found


async def finish(managed: Managed) -> None:
    """Expire the leases, and run one round of the resumer."""
    await managed.api.execute(
        "UPDATE images SET deletion_lease_until = now() - interval '1 s' WHERE deletion_lease_until IS NOT NULL"
    )
    await resume_deletions(work(managed))


async def marked(api: Api) -> int:
    count: int = await api.value("SELECT count(*) FROM images WHERE deletion_lease_until IS NOT NULL")
    return count


async def exists(api: Api, image_id: int) -> bool:
    return (await api.call("GET", f"{BASE}/images/{image_id}")).status == 200


@dataclass
class Failing:
    """A target that fails a number of times, after it has removed the tag or before that."""

    real: TargetManagement
    removes: bool
    code: Code = Code.TARGET_UNAVAILABLE
    failures: int = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    async def remove_tag(self, repository: str, tag: str, digest: Digest, *, siblings: bool) -> Removal:
        if not self.failures:
            return await self.real.remove_tag(repository, tag, digest, siblings=siblings)
        self.failures -= 1
        if self.removes:
            await self.real.remove_tag(repository, tag, digest, siblings=siblings)
        raise LongshoreError(self.code, "It failed, for the test.")


def failing(**how: Any) -> Sequence[Part]:
    """Return the parts of an API with a failing target."""

    async def target_part(app: web.Application) -> AsyncIterator[None]:
        app[MANAGEMENT] = Failing(app[MANAGEMENT], **how)
        yield

    return (*(part for part in REQUESTS_ONLY if part is not images_part), target_part, images_part)
