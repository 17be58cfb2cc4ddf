"""The copy's rules, played on dictionaries: what is written, in which order, and what never is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.images.image import Image
from deploy.local.images.synthetic import synthetic_image
from import_worker.copying.ends import MountFrom, StartTransfer, WaitForTransfer
from import_worker.copying.image import ImageCopy
from import_worker.copying.stream import DOWNLOAD_TRIES
from import_worker.copying.transfer import BLOB_TRIES
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.progress import LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from shared.runtime.backoff import Backoff
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTarget

ARM = Platform("linux", "arm64")
# Configs are read and sent as a whole, layers pass through. Bytes.
SMALL = 2_000


@pytest.fixture
def image() -> Image:
    return synthetic_image("copy", [5_000, 12_345, 0], shared=1)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is on the other side whom a pause would help; and layers of a few kilobytes go the way of large ones."""
    monkeypatch.setattr("import_worker.copying.stream.BLOB_RETRY", Backoff(first=0.001, maximum=0.01))
    monkeypatch.setattr("import_worker.copying.transfer.WHOLE_SIZE", SMALL)
    monkeypatch.setattr("import_worker.copying.blob.POLL_INTERVAL", 0.001)


async def allowed() -> None:
    """A fence that lets everything pass."""


async def copy(
    source: DictSource, target: DictTarget, *, ledger: DictLedger | None = None, platforms: tuple[Platform, ...] = ()
) -> tuple[ImportPlan, Board]:
    plan, board = await make_plan(source, await source.resolve(), platforms), Board()
    copying = ImageCopy(plan, source, target, ledger=ledger or DictLedger(), board=board, slots=2)
    await copying.run("latest", allowed)
    return plan, board


async def first_copy(source: DictSource, target: DictTarget, ledger: DictLedger) -> None:
    plan = await make_plan(source, await source.resolve(), ())
    copying = ImageCopy(plan, source, target, ledger=ledger, board=Board(), slots=2, first_attempt=True)
    await copying.run("latest", allowed)


async def test_a_new_repository_is_not_searched_for_each_blob(image: Image) -> None:
    """Whether it has tags is one question, in place of one for each blob and manifest."""
    target = DictTarget()
    await first_copy(DictSource(image), target, DictLedger())
    assert target.looks == 0
    assert target.blobs.keys() == {blob.digest for blob in image.blobs}


async def test_what_the_ledger_knows_of_a_repository_without_tags_is_looked_for(image: Image) -> None:
    """An import that failed has left it behind, and it is not sent a second time."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source = DictSource(image)
    target = DictTarget(blobs={blob.digest: source.content(blob.digest)})
    await first_copy(source, target, DictLedger(here={Digest.parse(blob.digest)}))
    assert target.looks == 1
    assert blob.digest not in {opened for opened, _ in source.opened}


async def test_a_repository_with_tags_is_searched(image: Image) -> None:
    """A second image shares blobs with the first one, as a rule."""
    target = DictTarget()
    await copy(DictSource(image), target)
    again = DictSource(image)
    await first_copy(again, target, DictLedger())
    assert len(again.opened) == 1


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
    # Nothing was refused for lack of what it refers to, and put again.
    assert len(target.writes) == len(set(target.writes))


async def test_a_refused_fence_leaves_the_tag_alone(image: Image) -> None:
    """A worker that lost its import must not write the one thing that others could see."""
    source, target = DictSource(image), DictTarget()
    plan = await make_plan(source, await source.resolve(), ())

    async def refused() -> None:
        raise LongshoreError(Code.IMPORT_SUPERSEDED, "taken by another")

    with pytest.raises(LongshoreError, match="import_superseded"):
        await ImageCopy(plan, source, target, ledger=DictLedger(), board=Board(), slots=2).run("latest", refused)
    assert "latest" not in target.manifests


async def test_the_fence_is_asked_again_when_the_tag_is_sent(image: Image) -> None:
    """Much may happen between the first answer and that moment, such as a stop of the whole process."""
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


async def test_what_exists_is_not_moved_again(image: Image) -> None:
    """A second copy only looks: no blob is opened but the config, which planning reads."""
    target = DictTarget()
    await copy(DictSource(image), target)
    again = DictSource(image)
    _, board = await copy(again, target)
    assert len(again.opened) == 1
    assert {layer.transfer for _, layer in board.shown if layer.status is LayerStatus.COMPLETED} == {Transfer.EXISTING}


async def test_a_known_blob_is_mounted_and_a_wrong_hint_is_forgotten(image: Image) -> None:
    """The ledger's candidates are tried first; one that does not hold the blob costs an upload, not the import."""
    source = DictSource(image)
    right, wrong = (layer for layer in image.blobs if layer.size in {5_000, 12_345} and layer is not image.blobs[0])
    target = DictTarget(elsewhere={"other": {right.digest: source.content(right.digest)}})
    ledger = DictLedger({Digest.parse(right.digest): "other", Digest.parse(wrong.digest): "other"})
    _, board = await copy(source, target, ledger=ledger)
    assert board.last(right.digest).transfer is Transfer.MOUNTED
    assert board.last(wrong.digest).transfer is Transfer.COPIED
    assert ledger.forgotten == [Digest.parse(wrong.digest)]
    assert {str(digest) for digest in ledger.recorded} == {blob.digest for blob in image.blobs}


async def test_a_blob_that_another_import_brings_is_waited_for_and_mounted(image: Image) -> None:
    """It is not opened at the source; its progress is the other import's until it is there."""
    source = DictSource(image)
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    digest = Digest.parse(blob.digest)
    target = DictTarget(elsewhere={"other": {blob.digest: source.content(blob.digest)}})
    ledger = DictLedger(next_steps={digest: [WaitForTransfer(100), WaitForTransfer(9_000), MountFrom("other")]})
    _, board = await copy(source, target, ledger=ledger)
    assert blob.digest not in {opened for opened, _ in source.opened}
    shown = [layer for name, layer in board.shown if name == blob.digest]
    assert [layer.offset for layer in shown] == [0, 100, 9_000, 12_345]
    assert shown[-1].transfer is Transfer.MOUNTED
    assert digest not in {ended for ended, _ in ledger.ended}


async def test_a_blob_that_another_import_gave_up_is_brought(image: Image) -> None:
    """The waiting import takes the flight over, and tells that it has landed."""
    source = DictSource(image)
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    ledger = DictLedger(next_steps={Digest.parse(blob.digest): [WaitForTransfer(100), StartTransfer()]})
    _, board = await copy(source, DictTarget(), ledger=ledger)
    assert board.last(blob.digest).transfer is Transfer.COPIED
    assert (Digest.parse(blob.digest), True) in ledger.ended


async def test_a_flight_that_fails_is_given_up(image: Image) -> None:
    """Others that wait for the blob must not wait for an import that has failed."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source = DictSource(image, break_at={blob.digest: [10] * 100})
    ledger = DictLedger()
    with pytest.raises(LongshoreError, match="source_unavailable"):
        await copy(source, DictTarget(), ledger=ledger)
    assert (Digest.parse(blob.digest), False) in ledger.ended


async def test_a_waiting_import_holds_no_slot(image: Image) -> None:
    """With one slot, a blob that is waited for does not keep the others from being copied."""
    source, target, board = DictSource(image), DictTarget(), Board()
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    others = {other.digest for other in image.blobs if other.digest != blob.digest}

    class Ledger(DictLedger):
        async def next_step(self, wanted: Descriptor) -> StartTransfer | MountFrom | WaitForTransfer:
            missing = others - target.blobs.keys()
            return WaitForTransfer(1) if str(wanted.digest) == blob.digest and missing else StartTransfer()

    plan = await make_plan(source, await source.resolve(), ())
    await ImageCopy(plan, source, target, ledger=Ledger(), board=board, slots=1).run("latest", allowed)
    assert "latest" in target.manifests


async def test_bytes_that_do_not_match_never_become_a_blob(image: Image) -> None:
    """One flipped bit: the upload is given up before its last chunk, and the error names the blob."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    content = bytearray(DictSource(image).content(blob.digest))
    content[7_000] ^= 1
    target = DictTarget()
    with pytest.raises(LongshoreError, match=f"blob_digest_mismatch.*{blob.digest}"):
        await copy(DictSource(image, damage={blob.digest: bytes(content)}), target)
    assert blob.digest not in target.blobs
    assert target.manifests == {}
    assert target.cancelled >= 1


async def test_a_broken_download_goes_on_where_it_ended(image: Image) -> None:
    """The upload does not notice: the same session gets the rest of the bytes."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image, break_at={blob.digest: [4_321, 8_000]}), DictTarget()
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0, 4_321, 8_000]
    assert target.writes.count(blob.digest) == 1
    assert target.cancelled == 0


async def test_a_download_that_breaks_at_its_very_end_is_complete(image: Image) -> None:
    """Asking for bytes from the blob's size on would be a malformed range."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image, break_at={blob.digest: [12_345]}), DictTarget()
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0]


async def test_a_broken_upload_goes_on_where_the_target_says(image: Image) -> None:
    """Neither side moves again what the target has taken, and the digest is still that of the whole blob."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(break_uploads_at=[7_500])
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0, 7_500]
    assert 7_500 in target.appended
    assert target.blobs[blob.digest] == source.content(blob.digest)
    assert target.cancelled == 0


async def test_a_broken_upload_that_the_target_forgot_begins_anew(image: Image) -> None:
    """What a registry does not prove to have is sent again."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(break_uploads_at=[7_500], keeps_sessions=False)
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0, 0]
    assert target.blobs[blob.digest] == source.content(blob.digest)
    assert target.cancelled == 1


async def test_a_lost_answer_to_the_commit_costs_no_bytes(image: Image) -> None:
    """Everything was taken: only the commit is repeated."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(lose_commits=1)
    await copy(source, target)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0]
    assert target.blobs[blob.digest] == source.content(blob.digest)


async def test_another_worker_goes_on_with_an_upload(image: Image) -> None:
    """It reads the whole blob, because the digest is of all its bytes, and sends only what the target lacks."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    target, ledger = DictTarget(break_uploads_at=[7_500] * 2 * BLOB_TRIES), DictLedger()
    with pytest.raises(LongshoreError, match="target_unavailable"):
        await copy(DictSource(image), target, ledger=ledger)
    target.break_uploads_at.clear()
    target.appended.clear()
    source = DictSource(image)
    await copy(source, target, ledger=ledger)
    assert [offset for digest, offset in source.opened if digest == blob.digest] == [0]
    assert 7_500 in target.appended
    assert target.blobs[blob.digest] == source.content(blob.digest)


async def test_a_kept_upload_of_other_bytes_is_never_committed(image: Image) -> None:
    """Bytes that another worker sent are not believed: the target compares the digest, and the blob is sent anew."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target, ledger = DictSource(image), DictTarget(), DictLedger()
    left = await target.start_upload()
    left.content += bytes(5_000)
    ledger.uploads[Digest.parse(blob.digest)] = left.address
    await copy(source, target, ledger=ledger)
    assert target.blobs[blob.digest] == source.content(blob.digest)
    assert 5_000 in target.appended
    assert target.cancelled == 1


async def test_a_source_that_always_breaks_ends_the_copy(image: Image) -> None:
    """Tries are bounded: the import as a whole waits and tries again."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source = DictSource(image, break_at={blob.digest: [10] * 100})
    with pytest.raises(LongshoreError, match="source_unavailable"):
        await copy(source, DictTarget())
    assert len([digest for digest, _ in source.opened if digest == blob.digest]) >= DOWNLOAD_TRIES


async def test_a_source_that_breaks_often_but_brings_something_is_gone_on_with(
    image: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is progress: a large layer from a far registry may break many times."""
    monkeypatch.setattr("import_worker.copying.stream.MIN_PROGRESS", 1_000)
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image, break_at={blob.digest: list(range(1_000, 12_000, 1_000))}), DictTarget()
    await copy(source, target)
    assert len([digest for digest, _ in source.opened if digest == blob.digest]) > 2 * DOWNLOAD_TRIES
    assert target.blobs[blob.digest] == source.content(blob.digest)


async def test_a_blob_that_the_target_lost_is_brought_again(image: Image) -> None:
    """MANIFEST_BLOB_UNKNOWN after a garbage collection re-uploads that blob instead of failing the import."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    target = DictTarget(lose_before_manifest={blob.digest})
    await copy(DictSource(image), target)
    assert target.writes.count(blob.digest) == 2
    assert "latest" in target.manifests


async def test_only_what_the_target_lost_is_brought_again(image: Image) -> None:
    """Though the repository was new: by now it holds the rest."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(lose_before_manifest={blob.digest})
    await first_copy(source, target, DictLedger())
    opened = [digest for digest, _ in source.opened]
    assert [digest for digest in set(opened) if opened.count(digest) > 1] == [blob.digest]


async def test_a_lost_blob_that_two_manifests_share_is_brought_once(image: Image) -> None:
    """Both put it back at the same time: never into the same upload."""
    shared = next(blob for blob in image.blobs if blob.size == 5_000).digest
    source, target = DictSource(image), DictTarget(lose_before_manifest={shared})
    await copy(source, target)
    assert target.writes.count(shared) == 2
    assert "latest" in target.manifests


async def test_a_small_blob_that_drips_is_not_waited_for(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read as a whole is watched as well."""
    monkeypatch.setattr("import_worker.copying.stall.STALL_SECONDS", 0.3)
    monkeypatch.setattr("import_worker.copying.transfer.WHOLE_SIZE", 20_000)

    class Dripping(DictSource):
        @asynccontextmanager
        async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
            async def drip() -> AsyncIterator[bytes]:
                for byte in content:
                    await asyncio.sleep(0.05)
                    yield bytes([byte])

            content = self.content(str(blob.digest))
            yield drip() if blob.size == 12_345 else self._chunks(self._open(blob, offset))

    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(copy(Dripping(image), DictTarget()), 30)


async def test_a_child_that_the_target_lost_is_put_again(image: Image) -> None:
    """A manifest deleted between its own push and its parent's is brought again."""
    target = DictTarget(lose_before_manifest={image.children[0].digest})
    target.lose_after = len(image.blobs) + len(image.children)
    await copy(DictSource(image), target)
    assert target.manifests["latest"].content == image.root.body
    assert target.writes.count(image.children[0].digest) == 2


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
    """Only the wanted child and its blobs come; the new index lists just that."""
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
    """Nothing was left out, so the index stays byte for byte and is not called partial."""
    plan, _ = await copy(DictSource(image), DictTarget(), platforms=(ARM, Platform("linux", "amd64")))
    assert not plan.partial
    assert str(plan.root.digest) == image.digest


async def test_a_missing_platform_is_named_with_what_there_is(image: Image) -> None:
    """The error helps to choose."""
    with pytest.raises(LongshoreError, match=r"linux/s390x.*linux/amd64, linux/arm64"):
        await make_plan(DictSource(image), Digest.parse(image.digest), [Platform("linux", "s390x")])


async def test_a_single_manifest_is_checked_against_its_config() -> None:
    """Without an index the platform stands in the config."""
    source = DictSource(synthetic_image("single", [100], platforms=("linux/arm64",), index=False))
    plan = await make_plan(source, await source.resolve(), [ARM])
    assert plan.platforms == (ARM,)
    assert not plan.partial
    with pytest.raises(LongshoreError, match="platform_not_available"):
        await make_plan(source, await source.resolve(), [Platform("linux", "amd64")])
