"""Gets one blob into the target's repository by the cheapest way there is: it exists, is mounted, or is transferred.

Why: docs/decisions/0006, 0042 for the blobs of other projects, and 0054 for slow transfers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from weakref import WeakValueDictionary

from import_worker.copying import transfer
from import_worker.copying.awaited import AwaitedTransfer
from import_worker.copying.ends import (
    BlobLedger,
    Holder,
    MountFrom,
    ProgressBoard,
    Source,
    StartTransfer,
    Target,
    WaitForTransfer,
)
from import_worker.copying.pace import Pace
from import_worker.copying.rates import SourceRate, TransferMeter
from import_worker.copying.slot_use import SlotUse
from import_worker.copying.transfer import BlobTransfer
from shared.errors.error import LongshoreError
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.runtime.concurrency import cancel_all
from shared.tracing.spans import step

# Existence checks and mounts at a time. They have places of their own, so that none waits behind a large layer.
CHECKS_AT_ONCE = 8
# Transfers of small blobs at a time: they wait for answers more than for bytes, and together hold less memory than the
# buffers of large ones.
SMALL_AT_ONCE = 16
# How often an import asks how far another import's transfer is; it is notified of the end. Seconds.
POLL_INTERVAL = 2.0
# How often an import records how far its transfer of a large blob is, for those that wait. Seconds.
RECORD_INTERVAL = 2.0


class BlobCopier:
    """Makes the target hold the blobs of one image; many `ensure` calls run at once."""

    def __init__(
        self,
        source: Source,
        target: Target,
        ledger: BlobLedger,
        board: ProgressBoard,
        *,
        slots: int,
        streams: AbstractAsyncContextManager[None],
        large_streams: AbstractAsyncContextManager[None],
        rate: SourceRate,
        slot_use: SlotUse,
        pace: Pace | None = None,
    ) -> None:
        """Copy between these ends: at most `slots` large blobs at once, each while it holds a place in `large_streams`.

        The others hold one in `streams`.
        """
        self._source = source
        self._target = target
        self._ledger = ledger
        self._board = board
        self._large = asyncio.Semaphore(slots)
        self._small = asyncio.Semaphore(SMALL_AT_ONCE)
        self._streams = streams
        self._large_streams = large_streams
        self._pace = pace or Pace()
        self._rate = rate
        self._slot_use = slot_use
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        # One upload of a blob at a time, although several manifests may miss it at once.
        self._locks: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()
        # The source's answers about blobs of other projects; each is asked for once.
        self._confirmed: dict[Digest, bool] = {}
        self.read: set[Digest] = set()
        """The blobs whose bytes this import has read from its source, with the right digest."""

    async def ensure(self, blob: Descriptor, *, may_exist: bool, mount_from: MountFrom | None) -> None:
        """Make the target hold the blob: it exists, is mounted, or is transferred by this or another import."""
        try:
            with step("blob", {"oci.digest": str(blob.digest), "longshore.bytes": blob.size}) as span:
                async with self._locks.setdefault(blob.digest, asyncio.Lock()), self._slot_use.working():
                    if may_exist and await self._exists(blob):
                        outcome = Transfer.EXISTING
                    elif mount_from and await self._mount(blob, mount_from):
                        outcome = Transfer.MOUNTED
                    else:
                        outcome = await self._claim_or_wait(blob)
                span.note({"longshore.transfer": outcome.value})
        except LongshoreError:
            self._show(blob, LayerStatus.FAILED, 0)
            raise
        self._show(blob, LayerStatus.COMPLETED, blob.size, outcome)

    async def _claim_or_wait(self, blob: Descriptor) -> Transfer:
        """Transfer the blob, or wait, without holding a place, while another import transfers it."""
        awaited, waited, slow = AwaitedTransfer(blob, self._rate), False, None
        is_small = blob.size <= transfer.WHOLE_SIZE
        places = (self._small, self._streams) if is_small else (self._large, self._large_streams)
        with self._ledger.watch_transfer(blob) as ended:
            while True:
                ended.clear()
                async with places[0], places[1]:
                    next_step = await self._ledger.next_step(blob, confirmable=self._confirmable(blob), instead_of=slow)
                    if isinstance(next_step, StartTransfer):
                        # The other import may have transferred the blob to this very repository.
                        return await self._transfer_claimed(blob, next_step.upload, may_exist=waited)
                slow = None
                if isinstance(next_step, MountFrom):
                    if await self._mount(blob, next_step):
                        return Transfer.MOUNTED
                elif await self._may_have(blob, next_step):
                    waited = True
                    async with self._slot_use.waiting():
                        slow = await self._wait(blob, next_step, awaited, ended)

    async def _wait(
        self, blob: Descriptor, seen: WaitForTransfer, awaited: AwaitedTransfer, ended: asyncio.Event
    ) -> Holder | None:
        """Wait while another import transfers the blob; return its holder if that is too slow to wait for."""
        while True:
            self._show(blob, LayerStatus.DOWNLOADING, seen.offset)
            if awaited.is_slow(seen):
                return seen.holder
            await _wait_for(ended)
            self._slot_use.give_back_if_idle()
            ended.clear()
            step = await self._ledger.awaited_step(blob, confirmable=self._confirmable(blob))
            if not isinstance(step, WaitForTransfer) or (step.confirm and blob.digest not in self._confirmed):
                return None
            seen = step

    def _confirmable(self, blob: Descriptor) -> bool:
        """Return whether the source has not denied that it has the blob."""
        return self._confirmed.get(blob.digest, True)

    async def _transfer_claimed(self, blob: Descriptor, resume: str | None, *, may_exist: bool) -> Transfer:
        """Transfer the blob and complete the claim, or release it on a failure."""
        progress = _Progress()
        transferring = self._transfer(blob, resume, progress)
        try:
            exists = may_exist and await self._target.has_blob(blob)
            if not exists:
                async with self._recording(blob, progress, resumed=resume is not None):
                    await transferring.run()
        except BaseException:
            await self._ledger.release_transfer(blob)
            raise
        if transferring.read:
            self.read.add(blob.digest)
        await self._ledger.complete_transfer(blob, read=transferring.read)
        return Transfer.EXISTING if exists else Transfer.COPIED

    def _transfer(self, blob: Descriptor, resume: str | None, progress: "_Progress") -> BlobTransfer:
        async def upload_started(address: str) -> None:
            await self._ledger.upload_started(blob, address)

        def advance(offset: int) -> None:
            progress.sent = offset
            self._show(blob, LayerStatus.DOWNLOADING, offset)

        return BlobTransfer(
            blob,
            self._source,
            self._target,
            upload_started=upload_started,
            advance=advance,
            resume=resume,
            pace=self._pace,
        )

    @asynccontextmanager
    async def _recording(self, blob: Descriptor, progress: "_Progress", *, resumed: bool) -> AsyncIterator[None]:
        """Measure a large blob's transfer, and record its progress for imports that wait, during the block."""
        if blob.size <= transfer.WHOLE_SIZE:
            yield
            return
        with self._rate.measure(blob.digest, resumed=resumed) as meter:
            recording = asyncio.create_task(self._record_sent(blob, progress, meter))
            try:
                yield
                meter.complete(blob.size)
            finally:
                await cancel_all([recording])

    async def _record_sent(self, blob: Descriptor, progress: "_Progress", meter: TransferMeter) -> None:
        recorded = 0
        while True:
            await asyncio.sleep(RECORD_INTERVAL)
            meter.advance(progress.sent)
            if progress.sent != recorded:
                recorded = progress.sent
                await self._ledger.record_sent(blob, recorded)

    async def _exists(self, blob: Descriptor) -> bool:
        async with self._checks:
            return await self._target.has_blob(blob)

    async def _mount(self, blob: Descriptor, candidate: MountFrom) -> bool:
        """Mount the blob, if the import may have it; the target's refusal is recorded, and returns False."""
        if not await self._may_have(blob, candidate):
            return False
        async with self._checks:
            upload = await self._target.mount_blob(blob, candidate.repository)
        if upload is None:
            return True
        await upload.cancel()
        await self._ledger.forget(blob, candidate.repository)
        return False

    async def _may_have(self, blob: Descriptor, offer: MountFrom | WaitForTransfer) -> bool:
        """Return whether the offer needs no confirmation, or the source confirms that it has the blob."""
        if not offer.confirm:
            return True
        if blob.digest not in self._confirmed:
            async with self._checks:
                self._confirmed[blob.digest] = await self._source_has(blob)
        return self._confirmed[blob.digest]

    async def _source_has(self, blob: Descriptor) -> bool:
        """Ask the source for the blob; after any error the blob is transferred, and the error shows again there."""
        try:
            return await self._source.has_blob(blob)
        except LongshoreError:
            return False

    def _show(self, blob: Descriptor, status: LayerStatus, offset: int, outcome: Transfer | None = None) -> None:
        self._board.show(blob.digest, LayerProgress(size=blob.size, offset=offset, status=status, transfer=outcome))


@dataclass(slots=True)
class _Progress:
    """How many bytes of a transfer have arrived."""

    sent: int = 0


async def _wait_for(ended: asyncio.Event) -> None:
    """Wait until the event is set, but not longer than until the next poll."""
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_INTERVAL):
            await ended.wait()
