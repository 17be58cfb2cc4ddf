"""Pushes to the stand-in with the product's registry client: docker-registry with Harbor's rules."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from deploy.local.images.image import OCI, Blob, Image, Manifest, memory_blob
from deploy.local.servers.harbor.rules import Rule
from deploy.local.servers.harbor.server import immutable_rule
from deploy.local.stack import synthetic_layer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.model.credential import Credential
from shared.network.policy import NetworkPolicy
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest as OurManifest
from shared.registry.client import Registry, open_registries
from tests.shared.harbor.conftest import ADMIN, GUEST, PROJECT, ROBOT, StandIn


@pytest.fixture
async def registry(standin: StandIn) -> AsyncIterator[Registry]:
    """The product's registry client with Longshore's usual kind of account, a robot."""
    policy = NetworkPolicy.of(plain_http=[standin.host], trusted=True)
    async with open_registries(policy, Side.TARGET) as registries:
        yield registries.registry(standin.host, ROBOT)


@dataclass(frozen=True)
class Said:
    """An answer with its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> tuple[int, str, str]:
        entry = json.loads(self.body)["errors"][0]
        return self.status, entry["code"], entry["message"]


class Http:
    """Sends requests that the product's client would never send."""

    def __init__(self, session: aiohttp.ClientSession, host: str) -> None:
        self._session = session
        self._base = f"http://{host}"

    async def __call__(self, method: str, path: str, credential: Credential | None = ADMIN, **more: Any) -> Said:
        headers = {"Authorization": credential.basic()} if credential else {}
        headers |= more.pop("headers", {})
        async with self._session.request(method, self._base + path, headers=headers, **more) as response:
            return Said(response.status, response.headers, await response.read())


@pytest.fixture
async def http_to(standin: StandIn) -> AsyncIterator[Http]:
    async with aiohttp.ClientSession() as session:
        yield Http(session, standin.host)


async def put(registry: Registry, repository: str, blob: Blob) -> None:
    """Upload a blob as an import does."""
    opened = registry.repository(repository)
    await opened.put_blob(await opened.start_upload(), descriptor(blob), b"".join(blob.read()))


def descriptor(blob: Blob) -> Descriptor:
    return Descriptor(media_type=blob.media_type, digest=Digest.parse(blob.digest), size=blob.size)


def ours(manifest: Manifest) -> OurManifest:
    return OurManifest.parse(manifest.body, manifest.media_type)


def protect(standin: StandIn, tag: str) -> None:
    standin.state.project(PROJECT).rules[standin.state.next_id()] = Rule.from_json(immutable_rule("**", tag))


async def test_the_products_client_pushes_and_reads_back(
    standin: StandIn, registry: Registry, name: str, image: Image
) -> None:
    """Challenge, token service, upload Locations, mounts and HEAD requests, with a robot account's name."""
    opened = registry.repository(f"{PROJECT}/{name}")
    for blob in image.blobs:
        assert not await opened.has_blob(descriptor(blob))
        await put(registry, f"{PROJECT}/{name}", blob)
        assert await opened.has_blob(descriptor(blob))
    for manifest in (*image.children, image.root):
        await opened.put_manifest(manifest.digest, ours(manifest))
    await opened.put_manifest("1.0", ours(image.root))
    assert str((await opened.head_manifest("1.0")).digest) == image.digest
    assert (await opened.get_manifest("1.0")).content == image.root.body
    async with opened.open_blob(descriptor(image.blobs[0])) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"".join(image.blobs[0].read())
    assert standin.tags(f"{PROJECT}/{name}") == {"1.0": image.digest}


async def test_the_registry_challenges_as_harbor_does(standin: StandIn, http_to: Http) -> None:
    """Without credentials the challenge is Bearer; with wrong ones it is Basic (v2auth/auth.go)."""
    realm = f'Bearer realm="http://{standin.host}/service/token",service="harbor-registry"'
    anonymous = await http_to("GET", "/v2/", None)
    assert anonymous.status == HTTPStatus.UNAUTHORIZED
    assert anonymous.headers["Www-Authenticate"] == realm
    head = await http_to("HEAD", f"/v2/{PROJECT}/x/manifests/1", None)
    assert head.headers["Www-Authenticate"] == f'{realm},scope="repository:{PROJECT}/x:pull"'
    wrong = await http_to("GET", "/v2/", Credential("admin", "wrong"))
    assert wrong.headers["Www-Authenticate"] == 'Basic realm="harbor"'
    guest = await http_to("POST", f"/v2/{PROJECT}/x/blobs/uploads/", GUEST)
    assert guest.error == (401, "UNAUTHORIZED", f"{(sentence := no_push())}: {sentence}")
    assert (await http_to("GET", "/v2/")).status == HTTPStatus.OK


def no_push() -> str:
    return f"unauthorized to access repository: {PROJECT}/x, action: push"


async def test_tokens_hold_what_the_account_may_do(standin: StandIn, http_to: Http) -> None:
    """The requested scope does not matter (src/core/service/token/creator.go)."""

    async def token(credential: Credential | None, scope: str) -> Said:
        query = {"service": "harbor-registry", "scope": scope} if scope else {"service": "harbor-registry"}
        return await http_to("GET", "/service/token", credential, params=query)

    answer = json.loads((await token(GUEST, f"repository:{PROJECT}/x:pull,push")).body)
    bearer = {"Authorization": f"Bearer {answer['token']}"}
    assert answer["expires_in"] > 0
    pull = await http_to("GET", f"/v2/{PROJECT}/x/tags/list", None, headers=bearer)
    assert pull.error == (404, "NOT_FOUND", f"repository {PROJECT}/x not found")
    push = await http_to("POST", f"/v2/{PROJECT}/x/blobs/uploads/", None, headers=bearer)
    assert push.status == HTTPStatus.UNAUTHORIZED
    assert (await token(None, "")).status == HTTPStatus.UNAUTHORIZED
    forged = {"Authorization": f"Bearer {answer['token']}x"}
    assert (await http_to("GET", f"/v2/{PROJECT}/x/tags/list", None, headers=forged)).status == HTTPStatus.UNAUTHORIZED


async def test_a_missing_project_is_refused_by_its_name(standin: StandIn, http_to: Http, registry: Registry) -> None:
    """Harbor creates no project on a push: 401 with an empty challenge, also for the administrator (v2auth/auth.go)."""
    answer = await http_to("POST", "/v2/nowhere/x/blobs/uploads/")
    assert answer.headers["Www-Authenticate"] == ""
    sentence = "project nowhere not found"
    assert answer.error == (401, "UNAUTHORIZED", f"{sentence}: {sentence}")
    with pytest.raises(LongshoreError, match=sentence) as caught:
        await registry.repository("nowhere/x").start_upload()
    assert caught.value.code == "target_project_missing"
    assert "nowhere" not in standin.state.projects


async def test_an_index_with_missing_children_is_refused(
    standin: StandIn, registry: Registry, name: str, image: Image
) -> None:
    """docker-registry refuses the index, and Harbor passes the answer on."""
    repository = f"{PROJECT}/{name}"
    for blob in image.blobs:
        await put(registry, repository, blob)
    with pytest.raises(LongshoreError) as caught:
        await registry.repository(repository).put_manifest("1.0", ours(image.root))
    assert caught.value.code == "target_blob_unknown"
    assert standin.state.project(PROJECT).repositories == {}


async def test_a_child_that_only_the_registry_has_is_missing(
    standin: StandIn, http_to: Http, name: str, image: Image
) -> None:
    """The child is deleted in Harbor but not yet collected: Harbor checks its own artifacts (manifest/index.go)."""
    repository = f"{PROJECT}/{name}"
    await standin.push(repository, "1.0", image)
    standin.state.delete_artifact(standin.state.project(PROJECT), standin.state.repository(repository), image.digest)
    headers = {"Content-Type": image.root.media_type}
    answer = await http_to("PUT", f"/v2/{repository}/manifests/1.0", headers=headers, data=image.root.body)
    missing = f"artifact {repository}@{image.children[0].digest} not found"
    assert answer.error == (404, "NOT_FOUND", missing)
    assert standin.tags(repository) == {}


async def test_an_immutable_tag_is_not_overwritten(
    standin: StandIn, http_to: Http, name: str, image: Image, single: Image
) -> None:
    """Any push to it gets 412, also of the same content; the first push and other tags are free."""
    repository = f"{PROJECT}/{name}"
    protect(standin, "v{1,2}.*")
    await standin.push(repository, "v1.0", image)
    await standin.push(repository, "edge", single)
    for manifest in (image.root, single.root):
        headers = {"Content-Type": manifest.media_type}
        answer = await http_to("PUT", f"/v2/{repository}/manifests/v1.0", headers=headers, data=manifest.body)
        said = f"Failed to process request due to '{name}:v1.0' configured as immutable."
        assert answer.error == (412, "PRECONDITION", said)
    assert standin.tags(repository) == {"v1.0": image.digest, "edge": single.digest}


async def test_an_immutable_tag_is_what_the_product_says(
    standin: StandIn, registry: Registry, name: str, single: Image
) -> None:
    protect(standin, "**")
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    with pytest.raises(LongshoreError, match="immutable") as caught:
        await registry.repository(f"{PROJECT}/{name}").put_manifest("1.0", ours(single.root))
    assert caught.value.code == "target_immutable_tag"


async def test_a_full_project_refuses_the_blob_at_its_put(
    standin: StandIn, registry: Registry, http_to: Http, name: str
) -> None:
    """403 DENIED with the figures, based on the announced length (src/server/middleware/quota/put_blob_upload.go)."""
    standin.state.project(PROJECT).hard = 3_000
    await put(registry, f"{PROJECT}/{name}", layer(2_000))
    with pytest.raises(LongshoreError, match="Quota exceeded") as caught:
        await put(registry, f"{PROJECT}/{name}", layer(2_000))
    assert caught.value.code == "target_quota_exceeded"
    assert standin.state.project(PROJECT).used == 2_000
    start = await http_to("POST", f"/v2/{PROJECT}/{name}/blobs/uploads/")
    path = start.headers["Location"].partition(standin.host)[2]
    blob = layer(2_048)
    answer = await http_to("PUT", f"{path}&digest={blob.digest}", data=b"".join(blob.read()))
    status, code, message = answer.error
    assert (status, code) == (403, "DENIED")
    assert (
        "adding 2.0 KiB of storage resource, which when updated to current usage of 2.0 KiB "
        "will exceed the configured upper limit of 2.9 KiB." in message
    )


async def test_a_blob_that_the_project_has_costs_nothing_more(standin: StandIn, registry: Registry, name: str) -> None:
    blob = layer(2_000)
    await put(registry, f"{PROJECT}/{name}", blob)
    standin.state.project(PROJECT).hard = 2_000
    await put(registry, f"{PROJECT}/{name}/again", blob)
    assert standin.state.project(PROJECT).used == 2_000


async def test_a_mount_is_charged_to_the_other_project(standin: StandIn, http_to: Http, name: str) -> None:
    """Each project is charged separately, and a mount is refused like an upload (post_initiate_blob_upload.go)."""
    blob = layer(2_000)
    await asyncio.to_thread(standin.remote().push_blob, f"{PROJECT}/{name}", blob)
    path = f"/v2/other/x/blobs/uploads/?mount={blob.digest}&from={PROJECT}/{name}"
    other = standin.state.create_project("other", hard=1_000)
    assert (await http_to("POST", path)).error[:2] == (403, "DENIED")
    other.hard = 2_000
    assert (await http_to("POST", path)).status == HTTPStatus.CREATED
    assert other.used == 2_000


async def test_a_mount_needs_the_right_to_pull(standin: StandIn, http_to: Http, name: str) -> None:
    standin.state.create_project("other")
    blob = layer(100)
    await asyncio.to_thread(standin.remote().push_blob, f"other/{name}", blob)
    answer = await http_to("POST", f"/v2/{PROJECT}/x/blobs/uploads/?mount={blob.digest}&from=other/{name}", ROBOT)
    assert answer.status == HTTPStatus.UNAUTHORIZED


async def test_a_manifest_is_charged_with_the_blobs_that_it_adds(
    standin: StandIn, http_to: Http, name: str, single: Image
) -> None:
    """The charge is the manifest's own size and that of blobs new to the project (put_manifest.go)."""
    repository = f"{PROJECT}/{name}"
    for blob in single.blobs:
        await asyncio.to_thread(standin.remote().push_blob, repository, blob)
    project = standin.state.project(PROJECT)
    project.hard = project.used + len(single.root.body) - 1
    headers = {"Content-Type": single.root.media_type}
    path = f"/v2/{repository}/manifests/1.0"
    assert (await http_to("PUT", path, headers=headers, data=single.root.body)).error[1] == "DENIED"
    project.hard += 1
    assert (await http_to("PUT", path, headers=headers, data=single.root.body)).status == HTTPStatus.CREATED
    assert project.used == project.hard == single.size


async def test_what_is_deleted_is_no_longer_charged(standin: StandIn, http_to: Http, name: str, image: Image) -> None:
    """Content that other artifacts of the project need stays charged; storage is freed only by garbage collection."""
    await standin.push(f"{PROJECT}/{name}", "1.0", image)
    await standin.push(f"{PROJECT}/{name}/copy", "1.0", image)
    await http_to("DELETE", f"/v2/{PROJECT}/{name}/manifests/{image.digest}")
    assert standin.state.project(PROJECT).used == image.size
    await http_to("DELETE", f"/v2/{PROJECT}/{name}/copy/manifests/{image.digest}")
    assert standin.state.project(PROJECT).used == 0
    assert sum(standin.state.blobs.values()) == image.size


async def test_a_manifest_is_deleted_by_digest_only(standin: StandIn, http_to: Http, name: str, single: Image) -> None:
    await standin.push(f"{PROJECT}/{name}", "1.0", single)
    by_tag = await http_to("DELETE", f"/v2/{PROJECT}/{name}/manifests/1.0")
    assert by_tag.error[:2] == (400, "UNSUPPORTED")
    by_digest = await http_to("DELETE", f"/v2/{PROJECT}/{name}/manifests/{single.digest}")
    assert by_digest.status == HTTPStatus.ACCEPTED
    read = await http_to("GET", f"/v2/{PROJECT}/{name}/manifests/{single.digest}")
    assert read.status == HTTPStatus.NOT_FOUND


async def test_a_manifest_may_have_four_mebibytes(standin: StandIn, http_to: Http, name: str) -> None:
    """goharbor/harbor#23500."""
    headers = {"Content-Type": OCI.manifest}
    path = f"/v2/{PROJECT}/{name}/manifests/1.0"
    answer = await http_to("PUT", path, headers=headers, data=BytesIO(bytes(4 * 1024 * 1024 + 1)))
    assert answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE


async def test_what_is_no_manifest_gets_the_registrys_own_answer(standin: StandIn, http_to: Http, name: str) -> None:
    headers = {"Content-Type": OCI.manifest}
    answer = await http_to("PUT", f"/v2/{PROJECT}/{name}/manifests/1.0", headers=headers, data=b"nonsense")
    assert answer.error[:2] == (400, "MANIFEST_INVALID")


async def test_uploads_in_chunks_lead_back_here(standin: StandIn, http_to: Http, name: str) -> None:
    """docker-registry writes Locations with the host of the request; uploaded chunks are charged."""
    content = secrets.token_bytes(3_000)
    start = await http_to("POST", f"/v2/{PROJECT}/{name}/blobs/uploads/")
    location = start.headers["Location"]
    assert location.startswith(f"http://{standin.host}/v2/{PROJECT}/{name}/blobs/uploads/")
    patch = await http_to("PATCH", location.partition(standin.host)[2], data=content)
    assert patch.headers["Range"] == "0-2999"
    path = patch.headers["Location"].partition(standin.host)[2]
    blob = memory_blob(OCI.tar, content)
    assert (await http_to("PUT", f"{path}&digest={blob.digest}")).status == HTTPStatus.CREATED
    assert standin.state.project(PROJECT).used == 3_000
    head = await http_to("HEAD", f"/v2/{PROJECT}/{name}/blobs/{blob.digest}")
    assert (head.status, head.headers["Content-Length"]) == (200, "3000")
    part = await http_to("GET", f"/v2/{PROJECT}/{name}/blobs/{blob.digest}", headers={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, content[10:20])


async def test_what_is_not_there_is_not_found(standin: StandIn, http_to: Http) -> None:
    answer = await http_to("GET", f"/v2/{PROJECT}/x/blobs/sha256:{'0' * 64}")
    assert answer.status == HTTPStatus.NOT_FOUND
    unknown = await http_to("GET", "/v2/nothing/of/the/kind")
    assert unknown.status == HTTPStatus.NOT_FOUND


def layer(size: int) -> Blob:
    return synthetic_layer(secrets.token_hex(6), size)
