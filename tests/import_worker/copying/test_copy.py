"""The order of a copy's writes, the manifest that the tag points to, and the copied platforms."""

import pytest

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from import_worker.copying.image import ImageCopy
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.make_plan import make_plan
from tests.import_worker.copying.copies import copy
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTarget

pytestmark = pytest.mark.usefixtures("quick_retries")
ARM = Platform("linux", "arm64")


async def test_everything_arrives_byte_for_byte(image: Image) -> None:
    """Blobs and manifests in the target are the source's, and the tag points to the source's digest."""
    source, target = DictSource(image), DictTarget()
    await copy(source, target)
    assert target.manifests["latest"].content == image.root.body
    assert {digest: source.content(digest) for digest in target.blobs} == target.blobs
    assert target.blobs.keys() == {blob.digest for blob in image.blobs}
    assert {child.digest for child in image.children} <= target.manifests.keys()


async def test_the_tag_is_the_last_write(image: Image) -> None:
    """Blobs before manifests, children before parents, the tag after everything."""
    target = DictTarget()
    await copy(DictSource(image), target)
    kinds = ["blob" if write in target.blobs else "manifest" for write in target.writes]
    assert kinds == sorted(kinds)
    assert target.writes[-1] == "latest"
    # No manifest was refused because its content was missing, and put again.
    assert len(target.writes) == len(set(target.writes))


async def test_a_refused_fence_leaves_the_tag_alone(image: Image) -> None:
    """A worker that lost its import must not write the one thing that other clients can see."""
    source, target = DictSource(image), DictTarget()
    plan = await make_plan(source, await source.resolve(), ())

    async def refused() -> None:
        raise LongshoreError(Code.IMPORT_SUPERSEDED, "taken by another")

    with pytest.raises(LongshoreError, match="import_superseded"):
        await ImageCopy(plan, source, target, ledger=DictLedger(), board=Board(), slots=2).run("latest", refused)
    assert "latest" not in target.manifests


async def test_the_fence_is_asked_again_when_the_tag_is_sent(image: Image) -> None:
    """The whole process may be stopped between the first answer and that moment."""
    source, target, asked = DictSource(image), DictTarget(), 0
    plan = await make_plan(source, await source.resolve(), ())

    async def once() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise LongshoreError(Code.IMPORT_SUPERSEDED, "taken by another")

    with pytest.raises(LongshoreError, match="import_superseded"):
        await ImageCopy(plan, source, target, ledger=DictLedger(), board=Board(), slots=2).run("latest", once)
    assert "latest" not in target.manifests


async def test_a_tag_that_is_right_already_is_not_written(image: Image) -> None:
    """It may be immutable: then the target would refuse the same bytes under it."""
    target = DictTarget()
    await copy(DictSource(image), target)
    written = len(target.writes)
    await copy(DictSource(image), target)
    assert len(target.writes) == written


async def test_progress_never_shrinks_and_ends_complete(image: Image) -> None:
    """Each blob's merged progress only grows, and is a hundred when the copy returns."""
    _, board = await copy(DictSource(image), DictTarget())
    for blob in image.blobs:
        merged = None
        for digest, layer in board.shown:
            if digest == blob.digest:
                newer = merged.merged(layer) if merged else layer
                assert merged is None or newer.percent >= merged.percent
                merged = newer
        assert merged is not None
        assert merged.percent == 100


async def test_a_platform_subset_is_a_valid_trimmed_index(image: Image) -> None:
    """Only the requested child and its blobs are copied; the new index lists just that child."""
    source, target = DictSource(image), DictTarget()
    plan, _ = await copy(source, target, platforms=(ARM,))
    assert plan.partial
    assert plan.platforms == (ARM,)
    root = target.manifests["latest"]
    assert [child.platform for child in root.manifests] == [ARM]
    assert plan.source_digest != root.digest
    wanted = {blob.digest for blob in target.manifests[str(root.manifests[0].digest)].blobs}
    assert {Digest.parse(digest) for digest in target.blobs} == wanted


async def test_all_platforms_by_name_is_the_whole_index(image: Image) -> None:
    """Nothing is left out, so the index stays byte for byte and is not called partial."""
    plan, _ = await copy(DictSource(image), DictTarget(), platforms=(ARM, Platform("linux", "amd64")))
    assert not plan.partial
    assert str(plan.root.digest) == image.digest


async def test_a_missing_platform_is_named_with_what_there_is(image: Image) -> None:
    """The error lists the platforms to choose from."""
    with pytest.raises(LongshoreError, match=r"linux/s390x.*linux/amd64, linux/arm64"):
        await make_plan(DictSource(image), Digest.parse(image.digest), [Platform("linux", "s390x")])


async def test_a_single_manifest_is_checked_against_its_config() -> None:
    """Without an index, the config names the platform."""
    source = DictSource(synthetic_image("single", [100], platforms=("linux/arm64",), index=False))
    plan = await make_plan(source, await source.resolve(), [ARM])
    assert plan.platforms == (ARM,)
    assert not plan.partial
    with pytest.raises(LongshoreError, match="platform_not_available"):
        await make_plan(source, await source.resolve(), [Platform("linux", "amd64")])
