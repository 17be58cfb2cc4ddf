"""Gets one blob into the target's repository by the cheapest way there is: it exists, is mounted, or is transferred.

Why: docs/decisions/0006.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from import_worker.copying import transfer
from import_worker.copying.ends import BlobLedger, ProgressBoard, Source, StartTransfer, Target, WaitForTransfer
from import_worker.copying.transfer import BlobTransfer
from shared.errors.error import LongshoreError
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.tracing.spans import step

# Existence checks and mounts at a time. They have places of their own, so that none waits behind a large layer.
CHECKS_AT_ONCE = 8
# Transfers of small blobs at a time: they wait for answers more than for bytes, and together hold less memory than the
# buffers of large ones.
SMALL_AT_ONCE = 16
# How often an import asks how far another import's transfer is; it is notified of the end. Seconds.
POLL_INTERVAL = 1.0


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
    ) -> None:
        """Copy between these ends: at most `slots` large blobs at once, each while it holds a place in `streams`."""
        self._source = source
        self._target = target
        self._ledger = ledger
        self._board = board
        self._large = asyncio.Semaphore(slots)
        self._small = asyncio.Semaphore(SMALL_AT_ONCE)
        self._streams = streams
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        # One upload of a blob at a time, although several manifests may miss it at once.
        self._locks: defaultdict[Digest, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def ensure(self, blob: Descriptor, *, may_exist: bool, mount_from: str | None) -> None:
        """Make the target hold the blob: it exists, is mounted, or is transferred by this or another import."""
        try:
            with step("blob", {"oci.digest": str(blob.digest), "longshore.bytes": blob.size}) as span:
                async with self._locks[blob.digest]:
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
        waited = False
        with self._ledger.watch_transfer(blob) as ended:
            while True:
                ended.clear()
                async with self._small if blob.size <= transfer.WHOLE_SIZE else self._large, self._streams:
                    next_step = await self._ledger.next_step(blob)
                    if isinstance(next_step, StartTransfer):
                        async with self._claimed(blob):
                            # The other import may have transferred the blob to this very repository.
                            if waited and await self._target.has_blob(blob):
                                return Transfer.EXISTING
                            await self._transfer(blob, next_step.upload).run()
                            return Transfer.COPIED
                if isinstance(next_step, WaitForTransfer):
                    self._show(blob, LayerStatus.DOWNLOADING, next_step.offset)
                    waited = True
                    await _wait_for(ended)
                elif await self._mount(blob, next_step.repository):
                    return Transfer.MOUNTED

    @asynccontextmanager
    async def _claimed(self, blob: Descriptor) -> AsyncIterator[None]:
        """Complete the claimed transfer after the block, or release it if the block fails."""
        try:
            yield
        except BaseException:
            await self._ledger.release_transfer(blob)
            raise
        await self._ledger.complete_transfer(blob)

    def _transfer(self, blob: Descriptor, resume: str | None) -> BlobTransfer:
        async def upload_started(address: str) -> None:
            await self._ledger.upload_started(blob, address)

        def advance(offset: int) -> None:
            self._show(blob, LayerStatus.DOWNLOADING, offset)

        return BlobTransfer(
            blob, self._source, self._target, upload_started=upload_started, advance=advance, resume=resume
        )

    async def _exists(self, blob: Descriptor) -> bool:
        async with self._checks:
            return await self._target.has_blob(blob)

    async def _mount(self, blob: Descriptor, repository: str) -> bool:
        """Mount the blob from another repository; a refusal is recorded and returns False."""
        async with self._checks:
            upload = await self._target.mount_blob(blob, repository)
        if upload is None:
            return True
        await upload.cancel()
        await self._ledger.forget(blob, repository)
        return False

    def _show(self, blob: Descriptor, status: LayerStatus, offset: int, outcome: Transfer | None = None) -> None:
        self._board.show(blob.digest, LayerProgress(size=blob.size, offset=offset, status=status, transfer=outcome))


async def _wait_for(ended: asyncio.Event) -> None:
    """Wait until the event is set, but not longer than until the next poll."""
    with suppress(TimeoutError):
        async with asyncio.timeout(POLL_INTERVAL):
            await ended.wait()
