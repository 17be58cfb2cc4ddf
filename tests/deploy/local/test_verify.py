"""The verification of the demo detects damage."""

import pytest

from deploy.local.images.verify import Place, verify
from deploy.local.stack import LocalStackError, Registry, Remote, synthetic_image

LAYERS = [3 << 20, 4096]


@pytest.fixture
def places(source_registry: Registry, target_registry: Registry, repository: str) -> tuple[Place, Place]:
    """The same image in both registries."""
    source = Place(remote=Remote.of(source_registry), repository=repository)
    target = Place(remote=Remote.of(target_registry), repository=repository)
    for place in (source, target):
        place.remote.push(repository, "1.0", synthetic_image(repository, LAYERS, shared=1))
    return source, target


def test_an_equal_copy_is_counted(places: tuple[Place, Place], repository: str) -> None:
    """An index, two manifests; two configurations, a shared layer, a layer for each platform."""
    source, target = places
    image = synthetic_image(repository, LAYERS, shared=1)
    found = verify(image.digest, target, source)
    assert (found.manifests, found.blobs, found.size) == (3, 5, image.size)
    assert verify(image.digest, target) == found


@pytest.mark.parametrize("with_source", [True, False])
def test_a_changed_byte_is_found(
    places: tuple[Place, Place], target_registry: Registry, repository: str, *, with_source: bool
) -> None:
    """A changed byte in the middle of a layer, with the same size."""
    image = synthetic_image(repository, LAYERS, shared=1)
    layer = max(image.blobs, key=lambda blob: blob.size)
    path = target_registry.blob_path(layer.digest)
    damaged = bytearray(path.read_bytes())
    damaged[1 << 20] ^= 1
    path.write_bytes(damaged)
    source, target = places
    with pytest.raises(LocalStackError, match=layer.digest):
        verify(image.digest, target, source if with_source else None)


@pytest.mark.parametrize("with_source", [True, False])
def test_a_truncated_blob_is_found(
    places: tuple[Place, Place], target_registry: Registry, repository: str, *, with_source: bool
) -> None:
    """A blob without its end is damaged."""
    image = synthetic_image(repository, LAYERS, shared=1)
    layer = max(image.blobs, key=lambda blob: blob.size)
    path = target_registry.blob_path(layer.digest)
    path.write_bytes(path.read_bytes()[: 2 << 20])
    source, target = places
    with pytest.raises(LocalStackError, match=layer.digest):
        verify(image.digest, target, source if with_source else None)


def test_a_missing_blob_is_found(places: tuple[Place, Place], target_registry: Registry, repository: str) -> None:
    """A manifest without one of its blobs is incomplete."""
    image = synthetic_image(repository, LAYERS, shared=1)
    target_registry.blob_path(image.blobs[0].digest).unlink()
    source, target = places
    with pytest.raises(LocalStackError, match=image.blobs[0].digest):
        verify(image.digest, target, source)


def test_a_missing_manifest_is_found(places: tuple[Place, Place], repository: str) -> None:
    """An index without one of its children is incomplete."""
    image = synthetic_image(repository, LAYERS, shared=1)
    source, target = places
    target.remote.delete_manifest(repository, image.children[1].digest)
    with pytest.raises(LocalStackError, match=image.children[1].digest):
        verify(image.digest, target, source)
