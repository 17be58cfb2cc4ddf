"""Two registries, and the worker's copy between them."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import stamina

from deploy.local.images.image import Blob, Image, Manifest
from deploy.local.images.remote import Addressed, Remote
from deploy.local.images.synthetic import synthetic_image
from deploy.local.stack import LocalStackError, Registry, Scratch
from import_worker.adapters.registry_target import RegistryTarget
from import_worker.copying.image import NOTHING, ImageCopy
from import_worker.copying.referrers import ReferrersCopy
from import_worker.copying.tag import Fence, Replaceable
from shared.errors.codes import Side
from shared.http_client.retry import ATTEMPTS
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.oci.reference import Reference
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from shared.registry.client import Registries, open_registries
from shared.registry.source import RegistrySource
from tests.import_worker.copying.artifacts.memory_registry import MemoryRegistry
from tests.import_worker.ends import Board, DictLedger, DictTags


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    """Retry as in production, without the pauses."""
    stamina.set_testing(True, attempts=ATTEMPTS, cap=True)
    yield
    stamina.set_testing(False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository of a registry, as any client sees it."""

    server: Registry | MemoryRegistry
    repository: str

    @property
    def remote(self) -> Remote:
        server: Addressed = self.server
        return Remote.of(server)

    async def push(self, image: Image, tag: str = "1.0") -> Image:
        await asyncio.to_thread(self.remote.push, self.repository, tag, image)
        return image

    async def attach(self, made: tuple[Manifest, tuple[Blob, ...]], tag: str | None = None) -> Manifest:
        """Push an artifact that refers to another manifest, under a tag or its digest."""
        manifest, blobs = made
        await self.push(Image(root=manifest, children=(), blobs=blobs), tag or manifest.digest)
        return manifest

    async def serves(self, reference: str) -> Manifest | None:
        """Return the manifest that a client gets for a tag or digest; None if it gets none."""
        try:
            return await asyncio.to_thread(self.remote.manifest, self.repository, reference)
        except LocalStackError as error:
            if " 404 " not in str(error):
                raise
            return None

    async def holds(self, digest: str) -> bool:
        return await asyncio.to_thread(self.remote.has_blob, self.repository, digest)

    async def delete(self, manifest: Manifest) -> None:
        await asyncio.to_thread(self.remote.delete_manifest, self.repository, manifest.digest)


@dataclass(kw_only=True)
class Copied:
    """The result of a copy."""

    plan: ImportPlan
    referrers: ReferrersCopy
    board: Board
    ledger: DictLedger = field(default_factory=DictLedger)


@dataclass(frozen=True, kw_only=True)
class Copier:
    """Copies as a worker does, without a queue."""

    source: Place
    target: Place
    sources: Registries
    targets: Registries
    tags: DictTags = field(default_factory=DictTags)

    def image_source(self, tag: str = "1.0") -> RegistrySource:
        server = self.source.server
        login = Credential(server.username, server.password or "") if server.username else None
        reference = Reference.parse(f"{server.host}/{self.source.repository}:{tag}")
        return RegistrySource(self.sources, reference, login)

    async def __call__(
        self,
        tag: str = "1.0",
        platforms: tuple[str, ...] = (),
        *,
        fence: Fence | None = None,
        replaceable: Replaceable = NOTHING,
    ) -> Copied:
        source = self.image_source(tag)
        plan = await make_plan(source, await source.resolve(), [Platform.parse(each) for each in platforms])
        target = RegistryTarget(self.targets.registry(self.target.server.host).repository(self.target.repository))
        copied = Copied(plan=plan, referrers=ReferrersCopy(plan, source, target, self.tags), board=Board())
        copy = ImageCopy(
            plan, source, target, ledger=copied.ledger, board=copied.board, slots=4, referrers=copied.referrers
        )
        await copy.run(tag, fence or _allowed, replaceable)
        return copied


async def _allowed() -> None:
    """A fence that permits every write."""


@asynccontextmanager
async def copying(source: Place, target: Place) -> AsyncIterator[Copier]:
    hosts = [source.server.host, target.server.host]
    policy = NetworkPolicy.of(plain_http=hosts, trusted=True)
    async with AsyncExitStack() as stack:
        yield Copier(
            source=source,
            target=target,
            sources=await stack.enter_async_context(open_registries(policy, Side.SOURCE)),
            targets=await stack.enter_async_context(open_registries(policy, Side.TARGET)),
        )


@pytest.fixture
def image() -> Image:
    return synthetic_image("referrers", [5_000, 700], shared=1)


@pytest.fixture
async def memory() -> AsyncIterator[MemoryRegistry]:
    async with MemoryRegistry().running() as server:
        yield server


@pytest.fixture(scope="session")
def lenient_registry(scratch: Scratch) -> Iterator[Registry]:
    """A docker-registry that accepts manifests with foreign layers; without this setting, 2.8 accepts none."""
    urls = {"manifests": {"urls": {"allow": ["^https://elsewhere\\.example/"]}}}
    with Registry(scratch, name="lenient", extra={"validation": urls}) as registry:
        yield registry


@pytest.fixture
async def plain(source_registry: Registry, target_registry: Registry, repository: str) -> AsyncIterator[Copier]:
    """From one docker-registry 2.8 to another: neither has a referrers API."""
    source = Place(server=source_registry, repository=repository)
    async with copying(source, Place(server=target_registry, repository=f"{repository}/copy")) as copier:
        yield copier


@pytest.fixture
async def from_api(memory: MemoryRegistry, target_registry: Registry, repository: str) -> AsyncIterator[Copier]:
    """From a registry with the referrers API to one without."""
    source = Place(server=memory, repository=repository)
    async with copying(source, Place(server=target_registry, repository=f"{repository}/copy")) as copier:
        yield copier


@pytest.fixture
async def to_api(source_registry: Registry, memory: MemoryRegistry, repository: str) -> AsyncIterator[Copier]:
    """From a registry without the referrers API to one that has it."""
    source = Place(server=source_registry, repository=repository)
    async with copying(source, Place(server=memory, repository=f"{repository}/copy")) as copier:
        yield copier


def digest_of(manifest: Manifest) -> Digest:
    return Digest.parse(manifest.digest)
