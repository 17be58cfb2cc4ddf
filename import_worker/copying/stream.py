"""A blob's bytes on their way through a thread: read from the source, hashed, written to the target."""

import asyncio
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import AsyncExitStack

from import_worker.copying.ends import Download, Source
from import_worker.copying.pace import Pace, PaceCheck
from import_worker.copying.stall import StallWatch
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.http_client.body import Write
from shared.oci.descriptor import Descriptor
from shared.planning.source import blob_digest_mismatch
from shared.runtime.backoff import Backoff
from shared.runtime.concurrency import run_in_thread

# Bytes read at a time. From 256 KiB to 1 MiB, CPU seconds per GiB fall from 1.3 to 1.0; beyond that only memory use
# grows (docs/performance.md).
BUFFER_SIZE = 1024 * 1024
# Bytes hashed and written at a time: they are still in the processor's cache when they are written, and a slow target
# is seen to accept some of a buffer. Smaller pieces cost system calls.
PIECE_SIZE = 256 * 1024
# Failed downloads in a row, within one upload, before the upload fails.
DOWNLOAD_TRIES = 5
# A download that brings at least this much resets the count of failures: a large blob survives many broken
# connections. Bytes.
MIN_PROGRESS = 1024 * 1024
# Before another try of a blob or its download, jittered so that layers do not return in step. Seconds.
BLOB_RETRY = Backoff(first=0.5, maximum=10.0, jitter=0.5)
# A longer wait would keep a worker's slot idle; the import as a whole waits instead. Seconds.
MAX_BLOB_DELAY = 10.0


async def backoff_or_raise(error: LongshoreError, failures: int) -> None:
    """Sleep before the next try of a blob, or raise the error if another try makes no sense here."""
    delay = error.retry_after or BLOB_RETRY.delay(failures)
    if not error.kind.retryable or error.kind.parks or delay > MAX_BLOB_DELAY:
        raise error
    await asyncio.sleep(delay)


class DigestCheck:
    """Computes a blob's digest over all uploads that read its bytes, so that no byte is hashed twice."""

    def __init__(self, blob: Descriptor) -> None:
        self._blob = blob
        self._hasher = blob.digest.hasher()
        self.position = 0
        """Bytes of the blob, from its start, that have been hashed."""
        self.matched = False
        """Whether all bytes have been hashed and have the blob's digest."""

    def update(self, data: memoryview, offset: int) -> None:
        """Hash the bytes at `offset` that are new; raises `blob_digest_mismatch` at the blob's end."""
        fresh = data[max(self.position - offset, 0) :]
        if fresh:
            self._hasher.update(fresh)
            self.position = offset + len(data)
        if self.position == self._blob.size:
            self.matched = self._hasher.hexdigest() == self._blob.digest.hex
            if not self.matched:
                raise blob_digest_mismatch(self._blob)


class BlobStream:
    """The rest of a blob, from an offset on, as the body of one request. Fits `http_client.body.Body`.

    The last bytes are written only after the whole blob's digest has matched, so that the target never holds a
    complete blob with wrong bytes. A broken download is opened again at the point where it ended, within the same
    request. Bytes before the offset are read only if the digest still needs them.
    """

    def __init__(
        self, blob: Descriptor, source: Source, digest_check: DigestCheck, *, offset: int = 0, pace: Pace | None = None
    ) -> None:
        self.size = blob.size - offset
        pace = pace or Pace()
        pace_check = PaceCheck(pace, size=blob.size, left=lambda: blob.size - self._read)
        self.stall_watch = StallWatch(line=pace.line, pace=pace_check)
        self.written = offset
        """Bytes of the blob, from its start, whose write to the target has returned."""
        self.offered = offset
        """Bytes of the blob, from its start, that the target may have received."""
        self._blob = blob
        self._source = source
        self._digest_check = digest_check
        self._offset = offset
        self._read = min(digest_check.position, offset)
        self._loop = asyncio.get_running_loop()
        self._stack = AsyncExitStack()
        self._download: Download | None = None
        self._cancel_reopening: Callable[[], object] = lambda: None
        self._aborted = False
        self._failures = 0
        self._broke_at = self._read

    async def open(self) -> None:
        """Open the download before any upload begins; does nothing if no byte is left to read."""
        if self._read < self._blob.size:
            self.stall_watch.wait_for(Side.SOURCE)
            await self._open_download()
            self.stall_watch.wait_for(Side.TARGET)

    async def close(self) -> None:
        await self._stack.aclose()

    async def check_digest(self) -> None:
        """Read the rest for its digest alone, for a target that has received every byte."""
        await run_in_thread(lambda: self.send_to(lambda _: None), self.abort)

    def send_to(self, write: Write) -> None:
        """Write the bytes; called once, in a thread."""
        buffer = memoryview(bytearray(min(BUFFER_SIZE, self._blob.size - self._read)))
        try:
            while self._read < self._blob.size:
                self.stall_watch.wait_for(Side.SOURCE)
                data = buffer[: self._read_into(buffer)]
                self.stall_watch.wait_for(Side.TARGET)
                for start in range(0, len(data), PIECE_SIZE):
                    self._hash_and_write(data[start : start + PIECE_SIZE], write)
        finally:
            self.stall_watch.wait_for(Side.TARGET)

    def abort(self) -> bool:
        """Make `send_to` end soon; called from the event loop. Return whether the target takes bytes."""
        self._aborted = True
        self._cancel_reopening()
        if self._download:
            self._download.abort()
        return self.stall_watch.stalled_side() is not Side.TARGET

    def _hash_and_write(self, piece: memoryview, write: Write) -> None:
        """Hash the piece, and write the part of it that the target has not received yet."""
        if self._aborted:
            raise CancelledError
        self._digest_check.update(piece, self._read)
        unsent = piece[max(self._offset - self._read, 0) :]
        self._read += len(piece)
        if unsent:
            self.offered = self._read
            write(unsent)
            self.written = self._read
        self.stall_watch.moved(len(piece))

    def _read_into(self, buffer: memoryview) -> int:
        """Read the next bytes, from a new download if the current one breaks."""
        while True:
            try:
                if self._download and (count := self._read_from(self._download, buffer)):
                    return count
            except LongshoreError as error:
                failed = error
            else:
                failed = LongshoreError(Code.SOURCE_UNAVAILABLE, f"Blob {self._blob.digest} ended too early.")
            reopening = asyncio.run_coroutine_threadsafe(self._reopen_download(failed), self._loop)
            self._cancel_reopening = reopening.cancel
            # Checked after the assignment: a later abort() cancels the reopening itself.
            if self._aborted:
                reopening.cancel()
            reopening.result()

    def _read_from(self, download: Download, buffer: memoryview) -> int:
        """Read the next bytes; a source that ignores the offset counts as moving while it repeats earlier bytes."""
        while count := download.skip_into(buffer):
            self.stall_watch.moved(count)
        return download.read_into(buffer)

    async def _reopen_download(self, failed: LongshoreError) -> None:
        if self._read - self._broke_at >= MIN_PROGRESS:
            self._failures = 0
        self._broke_at = self._read
        while True:
            self._failures += 1
            if self._failures == DOWNLOAD_TRIES:
                raise failed
            await backoff_or_raise(failed, self._failures)
            try:
                return await self._open_download()
            except LongshoreError as error:
                failed = error

    async def _open_download(self) -> None:
        await self._stack.aclose()
        self._download = await self._stack.enter_async_context(self._source.download_blob(self._blob, self._read))
