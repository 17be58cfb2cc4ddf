"""The hops that a registry controls, each as a function that follows one to a given address."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from import_worker.adapters.registry_target import RegistryTarget
from shared.registry.client import Registries
from shared.registry.repository import Repository
from shared.registry.source import RegistrySource
from tests.scripted.answer import Answer
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import described, noise, read
from tests.shared.moving import REPOSITORY, move, source_at, target_at
from tests.shared.traps import CREDENTIAL

# Sent as a whole, and passed through a thread.
LAYER, LARGE = noise(10_000, 31), noise(1_500_000, 32)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A registry that may be called, a trap that may not, and the clients; `origin` is where uploads come from."""

    registry: ScriptedRegistry
    trap: ScriptedRegistry
    registries: Registries
    origin: RegistrySource

    @property
    def repository(self) -> Repository:
        return self.registries.registry(self.registry.host, CREDENTIAL).repository(REPOSITORY)

    @property
    def source(self) -> RegistrySource:
        return source_at(self.registries, self.registry.host, CREDENTIAL)

    @property
    def target(self) -> RegistryTarget:
        return target_at(self.registries, self.registry.host, CREDENTIAL)

    def lead(self, method: str, path: str, to: str) -> None:
        """Redirect every request with an account or a token, because those have something to lose."""
        away = Answer(status=307, headers={"Location": f"{to}/somewhere"})
        self.registry.on(method, path).change(lambda answer: answer if answer.status == 401 else away)


Hop = Callable[[Scene, str], Awaitable[object]]


async def redirected_blob(scene: Scene, to: str) -> object:
    scene.lead("GET", ".*/blobs/.*", to)
    return await read(scene.repository, described(LAYER))


async def redirected_large_blob(scene: Scene, to: str) -> object:
    """Large blobs use separate connections."""
    scene.lead("GET", ".*/blobs/.*", to)
    async with scene.source.download_blob(described(LARGE)) as download:
        return download


async def redirected_look(scene: Scene, to: str) -> object:
    scene.lead("HEAD", ".*/blobs/.*", to)
    return await scene.repository.has_blob(described(LAYER))


async def redirected_manifest(scene: Scene, to: str) -> object:
    scene.lead("GET", ".*/manifests/.*", to)
    return await scene.source.fetch_root()


async def redirected_tag(scene: Scene, to: str) -> object:
    scene.lead("HEAD", ".*/manifests/.*", to)
    return await scene.source.resolve()


async def redirected_token(scene: Scene, to: str) -> object:
    scene.lead("GET", "/token", to)
    return await scene.source.resolve()


async def realm(scene: Scene, to: str) -> object:
    scene.registry.realm = f"{to}/token"
    return await scene.source.resolve()


async def second_redirect(scene: Scene, to: str) -> object:
    """The first redirect stays on the registry."""
    scene.lead("GET", ".*/blobs/.*", scene.registry.url)
    scene.lead("GET", "/somewhere", to)
    return await read(scene.repository, described(LAYER))


async def tags_link(scene: Scene, to: str) -> object:
    scene.registry.on("GET", ".*/tags/list").answer(
        200, b'{"tags": ["1"]}', {"Link": f'<{to}/v2/x/tags/list?last=1>; rel="next"'}
    )
    return await scene.repository.list_tags()


async def referrers_link(scene: Scene, to: str) -> object:
    headers = {
        "Content-Type": "application/vnd.oci.image.index.v1+json",
        "Link": f'<{to}/v2/x/referrers/y>; rel="next"',
    }
    body = b'{"schemaVersion": 2, "manifests": []}'
    scene.registry.on("GET", ".*/referrers/.*").answer(200, body, headers)
    return await scene.repository.list_referrers(described(LAYER).digest)


async def upload_location(scene: Scene, to: str) -> object:
    scene.registry.on("POST", ".*/uploads/").set_header("Location", f"{to}/upload?state=1")
    return await _push(scene, LAYER)


async def large_upload_location(scene: Scene, to: str) -> object:
    scene.registry.on("POST", ".*/uploads/").set_header("Location", f"{to}/upload?state=1")
    return await _push(scene, LARGE)


async def mount_location(scene: Scene, to: str) -> object:
    """A mount that becomes an upload; the fresh upload after it is led to the trap as well."""
    scene.registry.on("POST", ".*/uploads/").set_header("Location", f"{to}/upload?state=1")
    return await scene.target.mount_blob(described(LAYER), "team/base")


async def next_location(scene: Scene, to: str) -> object:
    """Each chunk's response names the address of the next one."""
    scene.registry.on("PATCH", ".*/uploads/.*").set_header("Location", f"{to}/upload?state=2")
    return await _push(scene, LARGE)


async def redirected_upload(scene: Scene, to: str) -> object:
    scene.lead("PUT|PATCH", ".*/uploads/.*", to)
    return await _push(scene, LARGE)


async def _push(scene: Scene, content: bytes) -> object:
    await move(described(content), scene.origin, scene.target)
    return content


READS: tuple[Hop, ...] = (
    redirected_blob,
    redirected_large_blob,
    redirected_look,
    redirected_manifest,
    redirected_tag,
    redirected_token,
    realm,
    second_redirect,
    tags_link,
    referrers_link,
)
WRITES: tuple[Hop, ...] = (upload_location, large_upload_location, mount_location, next_location, redirected_upload)
