"""The registry in memory behaves like docker-registry, and like the specification beyond that."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.local.images.image import OCI, Image, Manifest, memory_blob
from deploy.local.images.synthetic import synthetic_image
from deploy.local.processes.scratch import LocalStackError
from deploy.local.stack import Registry
from tests.import_worker.copying.artifacts.conftest import Place
from tests.import_worker.copying.artifacts.content import artifact, index_of, sbom_of
from tests.import_worker.copying.artifacts.memory_registry import MemoryRegistry


@pytest.fixture(params=["memory", "docker-registry"])
def place(request: pytest.FixtureRequest, memory: MemoryRegistry, public_registry: Registry, repository: str) -> Place:
    """Each of the two registries in turn."""
    return Place(server=memory if request.param == "memory" else public_registry, repository=repository)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def url(place: Place, path: str) -> str:
    return f"{place.server.url}/v2/{place.repository}/{path}"


async def test_what_is_pushed_is_served(place: Place, http: aiohttp.ClientSession) -> None:
    """Under its digest and its tag, with type, length and digest, for GET and HEAD alike."""
    image = await place.push(synthetic_image("contract", [400]))
    for reference in ("1.0", image.digest):
        for method in ("GET", "HEAD"):
            headers = {"Accept": OCI.index}
            async with http.request(method, url(place, f"manifests/{reference}"), headers=headers) as answer:
                assert answer.status == 200
                assert answer.headers["Docker-Content-Digest"] == image.digest
                assert answer.headers["Content-Type"] == OCI.index
                assert int(answer.headers["Content-Length"]) == len(image.root.body)
                assert await answer.read() == (image.root.body if method == "GET" else b"")
    async with http.get(url(place, "tags/list")) as answer:
        assert (await answer.json())["tags"] == ["1.0"]
    for blob in image.blobs:
        assert await place.holds(blob.digest)


async def test_what_is_not_there_is_a_404(place: Place, http: aiohttp.ClientSession) -> None:
    """If the answer has a body, its error code is one of the specification."""
    await place.push(synthetic_image("contract", [400]))
    absent = "sha256:" + 64 * "0"
    for path, code in ((f"manifests/{absent}", "MANIFEST_UNKNOWN"), (f"blobs/{absent}", "BLOB_UNKNOWN")):
        async with http.get(url(place, path)) as answer:
            assert answer.status == 404
            assert (await answer.json(content_type=None))["errors"][0]["code"] == code


async def test_a_manifest_needs_what_it_names(place: Place) -> None:
    """This holds for blobs and children; a subject may be missing."""
    manifest, blobs = artifact(memory_blob("text/plain", b"never pushed"))
    for lacking in (manifest, index_of(manifest.descriptor())):
        with pytest.raises(LocalStackError, match=r"MANIFEST_BLOB_UNKNOWN|404|400"):
            await place.push(Image(root=lacking, children=(), blobs=()))
    subject = Manifest(media_type=OCI.manifest, body=b"nowhere")
    manifest, blobs = sbom_of(subject)
    assert await place.attach((manifest, blobs)) == await place.serves(manifest.digest)


async def test_a_deleted_manifest_is_gone_with_its_tags(place: Place) -> None:
    image = await place.push(synthetic_image("contract", [400], platforms=("linux/amd64",), index=False))
    await place.delete(image.root)
    assert await place.serves("1.0") is None
    assert await place.serves(image.digest) is None


async def referrers(http: aiohttp.ClientSession, address: str) -> tuple[list[dict[str, Any]], aiohttp.ClientResponse]:
    async with http.get(address) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == OCI.index
        document = json.loads(await answer.read())
    assert (document["schemaVersion"], document["mediaType"]) == (2, OCI.index)
    listed: list[dict[str, Any]] = document["manifests"]
    return listed, answer


async def test_the_referrers_api_is_the_specifications(
    memory: MemoryRegistry, http: aiohttp.ClientSession, repository: str
) -> None:
    """It is an index, empty without referrers, with type and annotations per entry; a push answers OCI-Subject."""
    place = Place(server=memory, repository=repository)
    image = await place.push(synthetic_image("contract", [400]))
    address = url(place, f"referrers/{image.digest}")
    assert (await referrers(http, address))[0] == []
    made = [sbom_of(image.root, f"part {number}") for number in range(3)]
    for each in made:
        await place.attach(each)
    listed, _ = await referrers(http, address)
    assert listed == [
        each.descriptor(artifactType="application/spdx+json", annotations=each.document["annotations"])
        for each, _ in made
    ]
    headers = {"Content-Type": OCI.manifest}
    async with http.put(url(place, "manifests/again"), data=made[0][0].body, headers=headers) as answer:
        assert (answer.status, answer.headers["OCI-Subject"]) == (201, image.digest)


async def test_pages_follow_one_another(memory: MemoryRegistry, http: aiohttp.ClientSession, repository: str) -> None:
    """The Link header leads to the last page, which has none."""
    place = Place(server=memory, repository=repository)
    image = await place.push(synthetic_image("contract", [400]))
    for number in range(3):
        await place.attach(sbom_of(image.root, f"part {number}"))
    memory.page_size = 2
    first, answer = await referrers(http, url(place, f"referrers/{image.digest}"))
    second, last = await referrers(http, str(answer.links["next"]["url"]))
    assert (len(first), len(second), len(last.links)) == (2, 1, 0)
