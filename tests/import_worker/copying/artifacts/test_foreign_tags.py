"""Companion tags and lists of referrers of other clients are not overwritten."""

from collections.abc import Awaitable, Callable

import pytest

from deploy.local.images.image import Image, Manifest
from import_worker.copying.tag import Fence
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from tests.import_worker.copying.artifacts.conftest import Copier
from tests.import_worker.copying.artifacts.content import (
    artifact,
    cosign_signature,
    cosign_tag,
    fallback_tag,
    listed,
    listing_of,
    sbom_of,
    signature_of,
)


def fence_that(acts: Callable[[], Awaitable[object]], *, at: int) -> Fence:
    """Return a fence that permits everything, and lets another client act when it is asked for the `at`th time."""
    asked = 0

    async def fence() -> None:
        nonlocal asked
        asked += 1
        if asked == at:
            await acts()

    return fence


async def test_a_signature_that_another_client_pushed_is_not_replaced_by_a_larger_one(
    plain: Copier, image: Image
) -> None:
    """Even if the source's has all of its signatures: no import of Longshore's wrote it."""
    await plain.source.push(image)
    theirs = await plain.target.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await plain.source.attach(cosign_signature(image.root, "release", "audit"), cosign_tag(image.root))
    copied = await plain()
    (reason,) = copied.referrers.left_out
    assert theirs.digest in reason
    assert await plain.target.serves(cosign_tag(image.root)) == theirs


async def test_a_signature_that_another_client_added_to_ours_stays(plain: Copier, image: Image) -> None:
    """The tag no longer points to what the import wrote."""
    await plain.source.push(image)
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    await plain()
    theirs = await plain.target.attach(cosign_signature(image.root, "release", "theirs"), cosign_tag(image.root))
    newer = cosign_signature(image.root, "release", "theirs", "audit")
    await plain.source.attach(newer, cosign_tag(image.root))
    assert len((await plain()).referrers.left_out) == 1
    assert await plain.target.serves(cosign_tag(image.root)) == theirs


@pytest.mark.parametrize("ours_before", [False, True])
async def test_a_companion_tag_that_is_written_meanwhile_stays(plain: Copier, image: Image, ours_before: bool) -> None:
    """Another client writes it after it was looked up, and before it is sent."""
    await plain.source.push(image)
    if ours_before:
        await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
        await plain()
    await plain.source.attach(cosign_signature(image.root, "release", "audit"), cosign_tag(image.root))
    theirs: list[Manifest] = []

    async def write() -> None:
        theirs.append(await plain.target.attach(artifact(annotations={"by": "another"}), cosign_tag(image.root)))

    copied = await plain(fence=fence_that(write, at=2))
    assert len(copied.referrers.left_out) == 1
    assert await plain.target.serves(cosign_tag(image.root)) == theirs[0]


async def test_a_list_that_another_client_extends_meanwhile_keeps_its_entry(plain: Copier, image: Image) -> None:
    """The list is read again, and has both entries in the end."""
    await plain.source.push(image)
    ours = await plain.source.attach(sbom_of(image.root))
    await plain.source.attach((listing_of(ours), ()), fallback_tag(image.root))
    theirs: list[Manifest] = []

    async def extend() -> None:
        theirs.append(await plain.target.attach(signature_of(image.root, "theirs")))
        await plain.target.attach((listing_of(theirs[0]), ()), fallback_tag(image.root))

    copied = await plain(fence=fence_that(extend, at=2))
    assert copied.referrers.left_out == []
    assert listed(await plain.target.serves(fallback_tag(image.root))) == {ours.digest, theirs[0].digest}


@pytest.mark.parametrize("written", ["list", "signature"])
async def test_a_companion_is_written_with_a_permission_of_its_own(plain: Copier, image: Image, written: str) -> None:
    """The attempt may have lost its import since the last one."""
    await plain.source.push(image)
    if written == "list":
        sbom = await plain.source.attach(sbom_of(image.root))
        await plain.source.attach((listing_of(sbom), ()), fallback_tag(image.root))
    else:
        await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))

    async def lose() -> None:
        raise LongshoreError(Code.IMPORT_SUPERSEDED, "taken by another")

    with pytest.raises(LongshoreError, match="import_superseded"):
        await plain(fence=fence_that(lose, at=2))
    tag = fallback_tag(image.root) if written == "list" else cosign_tag(image.root)
    assert await plain.target.serves(tag) is None
    assert await plain.target.serves("1.0") is None


async def test_nothing_is_written_beside_an_image_whose_tag_is_another_clients(plain: Copier, image: Image) -> None:
    """The import fails before it writes a signature or a list."""
    await plain.source.push(image)
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    theirs = await plain.target.attach(artifact(annotations={"by": "another"}), "1.0")
    with pytest.raises(LongshoreError, match="target_tag_foreign"):
        await plain()
    assert await plain.target.serves(cosign_tag(image.root)) is None
    assert await plain.target.serves("1.0") == theirs


async def test_sendings_of_referrers_tags_are_recorded(plain: Copier, image: Image) -> None:
    """Companion tags and lists, as long as their end is not known; the digest that each of them got is confirmed."""
    await plain.source.push(image)
    await plain.source.attach(cosign_signature(image.root, "release"), cosign_tag(image.root))
    ours = await plain.source.attach(sbom_of(image.root))
    await plain.source.attach((listing_of(ours), ()), fallback_tag(image.root))
    for _ in range(2):
        assert (await plain()).referrers.left_out == []
        assert plain.tags.open_writes == []
        for tag in (cosign_tag(image.root), fallback_tag(image.root)):
            assert str(plain.tags.subjects[tag]) == image.root.digest
            served = await plain.target.serves(tag)
            assert served
            assert str(plain.tags.confirmed[tag]) == served.digest
        plain.tags.confirmed.clear()
