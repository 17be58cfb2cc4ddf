"""A copy that waits for another import's transfer: it leaves a slow one, and holds no slot while it only waits."""

import asyncio

import pytest

from deploy.local.images.image import Image
from import_worker.copying import awaited
from import_worker.copying import image as image_copy
from import_worker.copying.ends import Holder, MountFrom, StartTransfer, WaitForTransfer
from import_worker.copying.image import ImageCopy
from shared.model.progress import Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.make_plan import make_plan
from tests.import_worker.copying.copies import allowed
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTarget

pytestmark = pytest.mark.usefixtures("quick_retries")

OTHER = Holder(import_name="other", attempt=1)


class Slot:
    """Records whether the slot is held; `free` is set when it may be taken again."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.held = True
        self.given_back = asyncio.Event()
        self.asked = asyncio.Event()
        self.free = asyncio.Event()

    def give_back(self) -> bool:
        self.held = False
        self.given_back.set()
        self.events.append("given back")
        return True

    async def take_again(self) -> None:
        self.asked.set()
        await self.free.wait()
        self.held = True
        self.events.append("taken")


class WaitingLedger(DictLedger):
    """Has the import wait for one blob, until the test ends that or the import takes the transfer over."""

    def __init__(self, digest: Digest) -> None:
        super().__init__()
        self.digest = digest
        self.over = asyncio.Event()
        self.then: StartTransfer | MountFrom = StartTransfer()

    async def next_step(
        self, blob: Descriptor, *, confirmable: bool = True, instead_of: Holder | None = None
    ) -> StartTransfer | MountFrom | WaitForTransfer:
        await super().next_step(blob, confirmable=confirmable, instead_of=instead_of)
        if blob.digest != self.digest or instead_of:
            return StartTransfer()
        return self.then if self.over.is_set() else WaitForTransfer(100, holder=OTHER)

    async def awaited_step(self, blob: Descriptor, *, confirmable: bool = True) -> MountFrom | WaitForTransfer | None:
        assert confirmable
        return None if blob.digest != self.digest or self.over.is_set() else WaitForTransfer(100, holder=OTHER)


def large(image: Image) -> Digest:
    return next(Digest.parse(blob.digest) for blob in image.blobs if blob.size == 12_345)


async def started(source: DictSource, target: DictTarget, ledger: DictLedger, slot: Slot) -> asyncio.Task[None]:
    """Start a copy that holds this slot."""
    plan = await make_plan(source, await source.resolve(), ())
    copying = ImageCopy(plan, source, target, ledger=ledger, board=Board(), slots=2, slot=slot)
    return asyncio.create_task(copying.run("latest", allowed))


async def test_a_slow_transfer_is_left(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The import takes the transfer over, from the holder that it has watched."""
    monkeypatch.setattr(awaited, "MIN_EXPECTED_SECONDS", 0.01)
    source, ledger, board = DictSource(image), WaitingLedger(large(image)), Board()
    plan = await make_plan(source, await source.resolve(), ())
    await ImageCopy(plan, source, DictTarget(), ledger=ledger, board=board, slots=2).run("latest", allowed)
    assert ledger.replaced == [OTHER]
    assert board.last(str(large(image))).transfer is Transfer.COPIED
    assert (large(image), True) in ledger.ended


async def test_the_slot_is_given_back_when_nothing_else_is_left_to_do(image: Image) -> None:
    """It is taken again before the import does anything else, and until then nothing is written."""
    source, target, ledger, slot = DictSource(image), DictTarget(), WaitingLedger(large(image)), Slot()
    copying = await started(source, target, ledger, slot)
    await slot.given_back.wait()
    others = {blob.digest for blob in image.blobs} - {str(large(image))}
    assert target.blobs.keys() == others
    ledger.over.set()
    await slot.asked.wait()
    assert target.blobs.keys() == others
    slot.free.set()
    await copying
    assert slot.events == ["given back", "taken"]
    assert "latest" in target.manifests


async def test_an_awaited_blob_is_mounted_with_the_slot_taken_again(image: Image) -> None:
    """Also where the other import's transfer has brought the blob."""
    source, ledger, slot = DictSource(image), WaitingLedger(large(image)), Slot()
    target = DictTarget(elsewhere={"other": {str(large(image)): source.content(str(large(image)))}})
    ledger.then = MountFrom("other")
    slot.free.set()
    copying = await started(source, target, ledger, slot)
    await slot.given_back.wait()
    ledger.over.set()
    await copying
    assert slot.held
    assert str(large(image)) not in {opened for opened, _ in source.opened}


@pytest.mark.parametrize("asking", [False, True], ids=["waiting", "asking-for-a-slot"])
async def test_an_import_that_only_waits_can_be_cancelled(image: Image, *, asking: bool) -> None:
    """A stopping worker, a cancellation and a deadline do not wait for a slot."""
    ledger, slot = WaitingLedger(large(image)), Slot()
    copying = await started(DictSource(image), DictTarget(), ledger, slot)
    await slot.given_back.wait()
    if asking:
        ledger.over.set()
        await slot.asked.wait()
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    assert slot.events == ["given back"]


async def test_an_image_whose_plan_is_large_keeps_its_slot(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a worker bounds how many plans it holds."""
    monkeypatch.setattr(image_copy, "MAX_IDLE_BLOBS", 1)
    ledger, slot = WaitingLedger(large(image)), Slot()
    copying = await started(DictSource(image), DictTarget(), ledger, slot)
    asyncio.get_running_loop().call_later(0.1, ledger.over.set)
    await copying
    assert slot.events == []
