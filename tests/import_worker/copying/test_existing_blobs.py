"""Blobs that exist, are mounted, or are transferred by another import; and blobs that the target loses."""

import pytest

from deploy.local.images.image import Image
from import_worker.copying.ends import Holder, MountFrom, StartTransfer, WaitForTransfer
from import_worker.copying.image import ImageCopy
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.progress import LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.make_plan import make_plan
from tests.import_worker.copying.copies import allowed, copy, copy_as_first_attempt
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTarget, DictUpload

pytestmark = pytest.mark.usefixtures("quick_retries")


async def test_a_new_repository_is_not_searched_for_each_blob(image: Image) -> None:
    """One question about its tags replaces a check for each blob and manifest."""
    target = DictTarget()
    await copy_as_first_attempt(DictSource(image), target, DictLedger())
    assert target.looks == 0
    assert target.blobs.keys() == {blob.digest for blob in image.blobs}


async def test_what_the_ledger_knows_of_a_repository_without_tags_is_looked_for(image: Image) -> None:
    """A failed import has left the blob behind, and it is not sent again."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source = DictSource(image)
    target = DictTarget(blobs={blob.digest: source.content(blob.digest)})
    await copy_as_first_attempt(source, target, DictLedger(here={Digest.parse(blob.digest)}))
    assert target.looks == 1
    assert blob.digest not in {opened for opened, _ in source.opened}


async def test_a_repository_with_tags_is_searched(image: Image) -> None:
    """A second image usually shares blobs with the first."""
    target = DictTarget()
    await copy(DictSource(image), target)
    again = DictSource(image)
    await copy_as_first_attempt(again, target, DictLedger())
    assert len(again.opened) == 1


async def test_what_exists_is_not_moved_again(image: Image) -> None:
    """A second copy only checks: the one blob that is opened is the config, which planning reads."""
    target = DictTarget()
    await copy(DictSource(image), target)
    again = DictSource(image)
    _, board = await copy(again, target)
    assert len(again.opened) == 1
    assert {layer.transfer for _, layer in board.shown if layer.status is LayerStatus.COMPLETED} == {Transfer.EXISTING}


async def test_a_known_blob_is_mounted_and_a_wrong_hint_is_forgotten(image: Image) -> None:
    """The ledger's candidates are tried first; a wrong one costs an upload, not the import."""
    source = DictSource(image)
    right, wrong = (layer for layer in image.blobs if layer.size in {5_000, 12_345} and layer is not image.blobs[0])
    target = DictTarget(elsewhere={"other": {right.digest: source.content(right.digest)}})
    ledger = DictLedger({Digest.parse(right.digest): "other", Digest.parse(wrong.digest): "other"})
    _, board = await copy(source, target, ledger=ledger)
    assert board.last(right.digest).transfer is Transfer.MOUNTED
    assert board.last(wrong.digest).transfer is Transfer.COPIED
    assert ledger.forgotten == [Digest.parse(wrong.digest)]
    assert {str(digest) for digest in ledger.recorded} == {blob.digest for blob in image.blobs}


async def test_a_blob_that_another_import_transfers_is_waited_for_and_mounted(image: Image) -> None:
    """It is not opened at the source; its progress is the other import's until it has arrived."""
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


async def test_a_blob_that_another_import_released_is_transferred(image: Image) -> None:
    """The waiting import claims the transfer, and completes it."""
    source = DictSource(image)
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    ledger = DictLedger(next_steps={Digest.parse(blob.digest): [WaitForTransfer(100), StartTransfer()]})
    _, board = await copy(source, DictTarget(), ledger=ledger)
    assert board.last(blob.digest).transfer is Transfer.COPIED
    assert (Digest.parse(blob.digest), True) in ledger.ended


async def test_a_transfer_that_fails_is_released(image: Image) -> None:
    """Other imports that need the blob must not wait for an import that has failed."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source = DictSource(image, break_at={blob.digest: [10] * 100})
    ledger = DictLedger()
    with pytest.raises(LongshoreError, match="source_unavailable"):
        await copy(source, DictTarget(), ledger=ledger)
    assert (Digest.parse(blob.digest), False) in ledger.ended


async def test_a_blob_that_is_waited_for_takes_no_place(image: Image) -> None:
    """With one place, a blob that is waited for does not keep the others from being copied."""
    source, target, board = DictSource(image), DictTarget(), Board()
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    others = {other.digest for other in image.blobs if other.digest != blob.digest}

    class Ledger(DictLedger):
        async def next_step(
            self, wanted: Descriptor, *, confirmable: bool = True, instead_of: Holder | None = None
        ) -> StartTransfer | MountFrom | WaitForTransfer:
            assert confirmable
            assert instead_of is None
            missing = others - target.blobs.keys()
            return WaitForTransfer(1) if str(wanted.digest) == blob.digest and missing else StartTransfer()

    plan = await make_plan(source, await source.resolve(), ())
    await ImageCopy(plan, source, target, ledger=Ledger(), board=board, slots=1).run("latest", allowed)
    assert "latest" in target.manifests


async def test_a_blob_that_the_target_lost_is_copied_again(image: Image) -> None:
    """MANIFEST_BLOB_UNKNOWN after a garbage collection uploads that blob again instead of failing the import."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    target = DictTarget(lose_before_manifest={blob.digest})
    await copy(DictSource(image), target)
    assert target.writes.count(blob.digest) == 2
    assert "latest" in target.manifests


async def test_only_what_the_target_lost_is_copied_again(image: Image) -> None:
    """The repository was new, but holds the rest since."""
    blob = next(blob for blob in image.blobs if blob.size == 12_345)
    source, target = DictSource(image), DictTarget(lose_before_manifest={blob.digest})
    await copy_as_first_attempt(source, target, DictLedger())
    opened = [digest for digest, _ in source.opened]
    assert [digest for digest in set(opened) if opened.count(digest) > 1] == [blob.digest]


async def test_a_lost_blob_that_two_manifests_share_is_copied_once(image: Image) -> None:
    """Both copy it again at the same time: never into the same upload."""
    shared = next(blob for blob in image.blobs if blob.size == 5_000).digest
    source, target = DictSource(image), DictTarget(lose_before_manifest={shared})
    await copy(source, target)
    assert target.writes.count(shared) == 2
    assert "latest" in target.manifests


async def test_a_child_that_the_target_lost_is_put_again(image: Image) -> None:
    """A manifest that is deleted between its own push and its parent's is put again."""
    target = DictTarget(lose_before_manifest={image.children[0].digest})
    target.lose_after = len(image.blobs) + len(image.children)
    await copy(DictSource(image), target)
    assert target.manifests["latest"].content == image.root.body
    assert target.writes.count(image.children[0].digest) == 2
    assert target.manifests[image.children[0].digest].content == image.children[0].body


async def test_bytes_of_children_are_held_until_they_are_put(image: Image) -> None:
    """A lost child is read again; an import that transfers for hours holds the bytes of the root alone."""
    source = DictSource(image)
    held: list[bytes] = []

    async def fence() -> None:
        held.extend(each.content for each in copying._plan.manifests)

    plan = await make_plan(source, await source.resolve(), ())
    copying = ImageCopy(plan, source, DictTarget(), ledger=DictLedger(), board=Board(), slots=1)
    await copying.run("latest", fence)
    assert set(held) == {b"", image.root.body}


LAYER = 12_345


def layer_of(image: Image) -> Digest:
    return next(Digest.parse(blob.digest) for blob in image.blobs if blob.size == LAYER)


async def test_a_blob_that_the_source_has_to_confirm_is_mounted_after_it_did(image: Image) -> None:
    """The question moves no bytes, and is asked once."""
    digest = layer_of(image)
    source = DictSource(image, confirms={str(digest)})
    target = DictTarget(elsewhere={"other": {str(digest): source.content(str(digest))}})
    ledger = DictLedger({digest: MountFrom("other", confirm=True)})
    _, board = await copy(source, target, ledger=ledger)
    assert board.last(str(digest)).transfer is Transfer.MOUNTED
    assert source.asked == [str(digest)]
    assert str(digest) not in {opened for opened, _ in source.opened}
    assert digest not in ledger.proven


@pytest.mark.parametrize(
    "confirms",
    [set(), LongshoreError(Code.SOURCE_DENIED, "no"), LongshoreError(Code.SOURCE_UNAVAILABLE, "not now")],
    ids=["denied", "forbidden", "error"],
)
@pytest.mark.parametrize("offer", [MountFrom("other", confirm=True), WaitForTransfer(100, confirm=True)])
async def test_a_blob_that_the_source_does_not_confirm_is_transferred(
    image: Image, offer: MountFrom | WaitForTransfer, confirms: set[str] | LongshoreError
) -> None:
    """The target could mount it, and another import transfers it, but neither proves anything for this import."""
    digest = layer_of(image)
    source = DictSource(image, confirms=confirms)
    target = DictTarget(elsewhere={"other": {str(digest): source.content(str(digest))}})
    ledger = DictLedger(next_steps={digest: [offer, offer, offer]})
    if isinstance(offer, MountFrom):
        ledger.held[digest] = offer
    _, board = await copy(source, target, ledger=ledger)
    assert board.last(str(digest)).transfer is Transfer.COPIED
    assert source.asked == [str(digest)]
    assert ledger.forgotten == []
    assert digest in ledger.proven


async def test_only_blobs_that_were_read_are_proven(image: Image) -> None:
    """Blobs that exist, are mounted or are awaited are no proof: their bytes did not come from this source."""
    source = DictSource(image)
    mounted, existing = (
        next(Digest.parse(blob.digest) for blob in image.blobs if blob.size == size) for size in (LAYER, 5_000)
    )
    target = DictTarget(
        blobs={str(existing): source.content(str(existing))},
        elsewhere={"other": {str(mounted): source.content(str(mounted))}},
    )
    ledger = DictLedger({mounted: MountFrom("other")})
    await copy(source, target, ledger=ledger)
    transferred = {Digest.parse(blob.digest) for blob in image.blobs} - {mounted, existing}
    assert ledger.proven == transferred


async def test_a_transfer_that_finds_the_blob_after_a_failure_proves_nothing(image: Image) -> None:
    """Another import has put the blob into the repository meanwhile; this source sent only a part of it."""
    digest = layer_of(image)
    source, target, ledger = DictSource(image, break_at={str(digest): [10] * 100}), DictTarget(), DictLedger()

    class Filled(DictTarget):
        async def start_upload(self) -> DictUpload:
            self.blobs[str(digest)] = source.content(str(digest))
            return await super().start_upload()

    target = Filled()
    await copy_as_first_attempt(source, target, ledger)
    assert (digest, True) in ledger.ended
    assert digest not in ledger.proven


async def test_a_blob_that_came_while_this_import_waited_proves_nothing(image: Image) -> None:
    """The other import has transferred it to the same repository."""
    digest = layer_of(image)
    source, target = DictSource(image), DictTarget()

    class Ledger(DictLedger):
        async def next_step(
            self, blob: Descriptor, *, confirmable: bool = True, instead_of: Holder | None = None
        ) -> StartTransfer | MountFrom | WaitForTransfer:
            step = await super().next_step(blob, confirmable=confirmable, instead_of=instead_of)
            if blob.digest == digest and isinstance(step, StartTransfer):
                target.blobs[str(digest)] = source.content(str(digest))
            return step

    ledger = Ledger(next_steps={digest: [WaitForTransfer(1)]})
    _, board = await copy(source, target, ledger=ledger)
    assert board.last(str(digest)).transfer is Transfer.EXISTING
    assert digest not in ledger.proven
