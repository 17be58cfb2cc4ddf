"""Everything that a registry holds arrives byte for byte; an image that cannot be imported fails with its reason."""

import asyncio
import json

import pytest

from deploy.local.images.image import Image, Manifest
from deploy.local.images.verify import Place as Repository
from deploy.local.images.verify import verify
from deploy.local.stack import Registry
from shared.errors.error import LongshoreError
from shared.model.progress import LayerStatus, Transfer
from tests.import_worker.copying.artifacts.conftest import Copier, Place, copying
from tests.import_worker.copying.artifacts.memory_registry import MemoryRegistry
from tests.import_worker.copying.artifacts.shapes import LIMIT, SHAPES, foreign, padded

SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"


async def same(copier: Copier, image: Image) -> None:
    """Read everything back from both sides, and compare."""
    ends = (Repository(remote=place.remote, repository=place.repository) for place in (copier.target, copier.source))
    found = await asyncio.to_thread(verify, image.digest, *ends)
    assert (found.manifests, found.blobs) == (1 + len(image.children), len(image.blobs))
    assert await copier.target.serves("1.0") == image.root


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_arrives_byte_for_byte(plain: Copier, shape: str) -> None:
    """From one docker-registry 2.8 to another."""
    image = await plain.source.push(SHAPES[shape]())
    copied = await plain()
    await same(plain, image)
    assert copied.plan.size == image.size
    assert {copied.board.last(blob.digest).status for blob in image.blobs} == {LayerStatus.COMPLETED}


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_shape_arrives_where_there_is_a_referrers_api(to_api: Copier, shape: str) -> None:
    """The copy does not depend on peculiarities of docker-registry."""
    image = await to_api.source.push(SHAPES[shape]())
    await to_api()
    await same(to_api, image)


async def test_a_manifest_of_one_byte_more_than_the_limit_is_refused(from_api: Copier) -> None:
    """Registries take 4 MiB; a source that sends more is not read to its end."""
    await from_api.source.push(padded(LIMIT + 1))
    with pytest.raises(LongshoreError) as caught:
        await from_api()
    assert caught.value.code == "source_protocol_error"
    assert "sent more than 4194304 bytes" in caught.value.detail


async def test_a_layer_twice_in_a_manifest_is_moved_once(from_api: Copier, memory: MemoryRegistry) -> None:
    """This also holds for a layer that the image and a referrer share."""
    await from_api.source.push(SHAPES["duplicate layers"]())
    await from_api()
    reads = [asked for asked in memory.asked if asked.startswith("GET") and "/blobs/" in asked]
    assert len(reads) == len(set(reads)) == 3


async def test_foreign_layers_stay_where_they_are(lenient_registry: Registry, repository: str) -> None:
    """They are listed as existing, and are not requested; a target that allows their address accepts them."""
    source = Place(server=lenient_registry, repository=repository)
    target = Place(server=lenient_registry, repository=f"{repository}/copy")
    image, away = foreign()
    async with copying(source, target) as copier:
        await source.push(image)
        copied = await copier()
        await same(copier, image)
    assert copied.board.last(away.digest).transfer is Transfer.EXISTING
    assert not await target.holds(away.digest)


async def test_a_target_that_takes_no_foreign_layers_says_so(
    lenient_registry: Registry, target_registry: Registry, repository: str
) -> None:
    """docker-registry 2.8 without the setting answers 500, and the import fails after its attempts."""
    image, away = foreign()
    source = Place(server=lenient_registry, repository=repository)
    await source.push(image)
    target = Place(server=target_registry, repository=repository)
    async with copying(source, target) as copier:
        with pytest.raises(LongshoreError) as caught:
            await copier()
    assert caught.value.code == "target_unavailable"
    assert away.digest in caught.value.detail
    assert await target.serves("1.0") is None


@pytest.mark.parametrize("media_type", [SCHEMA1, SIGNED])
async def test_schema_1_is_refused_with_its_reason(from_api: Copier, memory: MemoryRegistry, media_type: str) -> None:
    """Signed or not: no current runtime pulls it, and converting it would change its digest."""
    document = {"schemaVersion": 1, "name": "old", "tag": "1.0", "fsLayers": [], "history": [], "signatures": []}
    manifest = Manifest(media_type=media_type, body=json.dumps(document).encode())
    held = memory.repositories[from_api.source.repository]
    held.manifests[manifest.digest] = manifest
    held.tags["1.0"] = manifest.digest
    with pytest.raises(LongshoreError) as caught:
        await from_api()
    assert caught.value.code == "manifest_unsupported"
    assert "schema 1" in caught.value.detail
