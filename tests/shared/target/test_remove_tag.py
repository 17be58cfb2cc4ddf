"""Removing a tag from the target: the same guarantees for both kinds, and no other tag is ever lost."""

import asyncio
import json
import secrets

import pytest

from deploy.local.images.image import OCI, Image, Manifest
from deploy.local.stack import Registry, Remote, Scratch, synthetic_image
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.target import needed
from shared.target.management import Removal
from shared.target.plain_registry import untag_marker
from shared.target.settings import TargetKind
from tests.shared.target.conftest import Place, managing


def some_image(seed: str = "") -> Image:
    return synthetic_image(f"{seed}{secrets.token_hex(6)}", [700, 900])


async def test_the_last_tag_takes_the_manifest_along(place: Place) -> None:
    """The target no longer serves the image, neither by tag nor by digest."""
    image = some_image()
    await place.push(image, "1.0")
    assert await place.remove(image, "1.0") is Removal.MANIFEST
    assert await place.serves("1.0") is None
    assert await place.serves(image.digest) is None


@pytest.mark.parametrize("order", [("1.0", "latest"), ("latest", "1.0")])
async def test_tags_of_one_digest_go_one_by_one(place: Place, order: tuple[str, str]) -> None:
    """In any order, the remaining tag still serves the image; the manifest is deleted with the second."""
    image = some_image()
    first, second = order
    await place.push(image, "1.0", "latest")
    assert await place.remove(image, first) is Removal.TAG
    assert await place.serves(first) is None
    assert await place.serves(second) == image.digest
    assert await place.remove(image, second) is Removal.MANIFEST
    assert await place.serves(image.digest) is None


async def test_tags_of_one_digest_that_go_at_once_leave_nothing(place: Place) -> None:
    """Each removal sees the other tags; the last one also deletes the manifest."""
    image = some_image()
    tags = [f"1.{number}" for number in range(5)]
    await place.push(image, *tags)
    await asyncio.gather(*(place.remove(image, tag) for tag in tags))
    assert [await place.serves(reference) for reference in (*tags, image.digest)] == 6 * [None]


async def test_other_images_of_the_repository_stay(place: Place) -> None:
    """This holds even if they share layers."""
    image, other = some_image("a"), some_image("b")
    await place.push(image, "1.0")
    await place.push(other, "2.0")
    await place.remove(image, "1.0")
    assert await place.serves("2.0") == other.digest


async def test_a_tag_that_another_client_has_moved_stays(place: Place) -> None:
    """The tag is no longer the image's; the image's manifest is deleted, because nothing else needs it."""
    image, pushed = some_image("a"), some_image("b")
    await place.push(image, "1.0")
    await place.push(pushed, "1.0")
    assert await place.remove(image, "1.0") is Removal.MANIFEST
    assert await place.serves("1.0") == pushed.digest
    assert await place.serves(image.digest) is None


@pytest.mark.parametrize("siblings", [True, False])
async def test_a_moved_tag_stays_where_others_need_what_it_was(place: Place, siblings: bool) -> None:
    """Nothing is deleted: neither the manifest that the tag points to now, nor the manifests of other tags."""
    image, pushed = some_image("a"), some_image("b")
    await place.push(image, "1.0", "latest")
    await place.push(pushed, "1.0")
    assert await place.remove(image, "1.0", siblings=siblings) is Removal.NOTHING
    assert await place.serves("1.0") == pushed.digest
    assert await place.serves("latest") == image.digest


async def test_a_tag_that_moves_while_the_other_tags_are_read_stays(
    plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tag is looked up again right before the marker takes its place: the list of tags may take seconds."""
    image, pushed = some_image("a"), some_image("b")
    await plain.push(image, "1.0", "latest")

    async def reading(*_: object, other_than: str) -> bool:
        await plain.push(pushed, other_than)
        return True

    monkeypatch.setattr("shared.target.plain_registry.is_needed", reading)
    assert await plain.remove(image, "1.0") is Removal.NOTHING
    assert await plain.serves("1.0") == pushed.digest


async def test_a_removal_may_be_repeated(place: Place) -> None:
    """After a crash, the progress of the last removal is unknown."""
    image = some_image()
    await place.push(image, "1.0", "latest")
    assert await place.remove(image, "1.0") is Removal.TAG
    assert await place.remove(image, "1.0") is Removal.NOTHING
    assert await place.serves("latest") == image.digest
    assert await place.remove(image, "latest") is Removal.MANIFEST
    assert await place.remove(image, "latest") is Removal.NOTHING


async def test_what_another_managed_image_has_stays(place: Place) -> None:
    """The caller's word is sufficient, whatever tags the target has."""
    image = some_image()
    await place.push(image, "1.0")
    assert await place.remove(image, "1.0", siblings=True) is Removal.TAG
    assert await place.serves("1.0") is None
    assert await place.serves(image.digest) == image.digest


async def test_a_repository_that_is_not_there_has_nothing_to_remove(place: Place) -> None:
    """This happens after a crash, or when another client was faster."""
    assert await place.remove(some_image(), "1.0") is Removal.NOTHING


async def test_a_platform_of_an_index_stays_whole(plain: Place) -> None:
    """A plain registry would leave the index with a missing child; only the platform's own tag is removed."""
    index = some_image()
    platform = Image(root=index.children[0], children=(), blobs=index.blobs)
    await plain.push(index, "1.0")
    await plain.push(platform, "amd64")
    assert await plain.remove(platform, "amd64") is Removal.TAG
    assert await plain.serves("amd64") is None
    assert await plain.serves(platform.digest) == platform.digest


async def test_harbor_keeps_a_platform_of_an_index_with_its_tag(harbor: Place) -> None:
    """Harbor answers 412, which has a separate error code; nothing has changed."""
    index = some_image()
    platform = Image(root=index.children[0], children=(), blobs=index.blobs)
    await harbor.push(index, "1.0")
    await harbor.push(platform, "amd64")
    with pytest.raises(LongshoreError) as caught:
        await harbor.remove(platform, "amd64")
    assert caught.value.code == "target_artifact_referenced"
    assert await harbor.serves("amd64") == platform.digest


async def test_an_interrupted_removal_is_finished(plain: Place) -> None:
    """The first attempt ends between moving the tag and deleting the marker; the next one recognises the marker."""
    image = some_image()
    await plain.push(image, "1.0", "latest")
    marker = untag_marker(plain.repository, "1.0")
    pushed = Manifest(media_type=marker.media_type, body=marker.content)
    await asyncio.to_thread(plain.remote.push_manifest, plain.repository, "1.0", pushed)
    assert await plain.remove(image, "1.0") is Removal.NOTHING
    assert await plain.serves("1.0") is None
    assert await plain.serves(str(marker.digest)) is None
    assert await plain.serves("latest") == image.digest


async def test_a_nested_index_keeps_what_it_is_made_of(plain: Place) -> None:
    """The removal follows nested indexes to the same depth as imports do."""
    inner = some_image()
    entry = {"mediaType": inner.root.media_type, "digest": inner.digest, "size": len(inner.root.body)}
    document = {"schemaVersion": 2, "mediaType": OCI.index, "manifests": [entry]}
    outer = Manifest(media_type=OCI.index, body=json.dumps(document).encode())
    await plain.push(inner, "inner")
    await asyncio.to_thread(plain.remote.push_manifest, plain.repository, "outer", outer)
    platform = Image(root=inner.children[1], children=(), blobs=inner.blobs)
    await plain.push(platform, "arm64")
    assert await plain.remove(inner, "inner") is Removal.TAG
    assert await plain.remove(platform, "arm64") is Removal.TAG
    assert await plain.serves(platform.digest) == platform.digest


async def test_a_repository_with_more_tags_than_are_looked_at_keeps_its_manifests(
    plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In doubt the manifest stays; the tag is removed all the same."""
    monkeypatch.setattr(needed, "MAX_TAGS", 2)
    image = some_image()
    await plain.push(image, "1.0")
    for tag in ("2.0", "3.0", "4.0"):
        await plain.push(some_image(), tag)
    assert await plain.remove(image, "1.0") is Removal.TAG
    assert await plain.serves("1.0") is None
    assert await plain.serves(image.digest) == image.digest


async def test_a_registry_without_deletion_says_so(scratch: Scratch, repository: str) -> None:
    """This is docker-registry's default: the image stays unchanged, and the error names the reason."""
    image = some_image()
    keeping = Registry(scratch, name="keeping", extra={"storage": {"delete": {"enabled": False}}})
    with keeping:
        remote = Remote.of(keeping)
        await asyncio.to_thread(remote.push, repository, "1.0", image)
        async with managing(keeping.host, TargetKind.REGISTRY) as management:
            with pytest.raises(LongshoreError) as caught:
                await management.remove_tag(repository, "1.0", Digest.parse(image.digest), siblings=False)
        assert caught.value.code == "target_delete_refused"
        assert "405" in caught.value.detail
        assert (await asyncio.to_thread(remote.manifest, repository, "1.0")).digest == image.digest
