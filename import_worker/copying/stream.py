"""A blob's bytes on their way through a thread: read from the source, hashed, written to the target."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from import_worker.copying.ends import Download, Source
from import_worker.copying.stall import Flow
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.http_client.body import Write
from shared.oci.descriptor import Descriptor
from shared.planning.mismatch import blob_digest_mismatch
from shared.runtime.backoff import Backoff

# Bytes that are on their way at a time. From 256 KiB to 1 MiB, CPU seconds a GiB fall from 1.3 to 1.0; beyond it only
# memory grows (docs/performance.md).
BUFFER_SIZE = 1024 * 1024
# Bytes hashed and written at a time: they are still in the processor's cache when the target reads them, and a slow
# target is seen to take some. Smaller pieces cost system calls.
PIECE_SIZE = 256 * 1024
# Tries of a broken download within one upload, each going on where the last one ended, that come to too little.
DOWNLOAD_TRIES = 5
# What a try must bring for the next one to count as a first one again: a large blob outlives many cuts. Bytes.
WORTHWHILE = 1024 * 1024
# Before another try of a blob or its download, jittered so that layers do not return in step. Seconds.
BLOB_RETRY = Backoff(first=0.5, maximum=10.0, jitter=0.5)
# A wait longer than this is the import's, not the blob's: it would keep a worker's slot for nothing. Seconds.
MAX_BLOB_DELAY = 10.0


class Check:
    """A blob's digest in the making, and how far it has come; it outlives the uploads that its bytes were read for."""

    def __init__(self, blob: Descriptor) -> None:
        self._blob = blob
        self._hasher = blob.digest.hasher()
        self.position = 0
        """Bytes of the blob, from its start, that have been hashed."""

    def take(self, data: memoryview, offset: int) -> None:
        """Hash what stands at `offset`, as far as it is new; raises `blob_digest_mismatch` at the blob's end."""
        fresh = data[max(self.position - offset, 0) :]
        if fresh:
            self._hasher.update(fresh)
            self.position = offset + len(data)
        if self.position == self._blob.size and self._hasher.hexdigest() != self._blob.digest.hex:
            raise blob_digest_mismatch(self._blob)


class Passage:
    """The rest of a blob, from an offset on, as the body of one request. Fits `http_client.body.Body`.

    The last bytes are written only when the whole blob has its digest, so that the target never holds a blob that
    could be committed before that is known. A download that breaks is opened again where it ended, into the same
    request. Bytes before the offset are read only for the digest, where it has not seen them.
    """

    def __init__(self, blob: Descriptor, source: Source, check: Check, *, offset: int = 0) -> None:
        self.size = blob.size - offset
        self.flow = Flow()
        self.taken = offset
        """Bytes of the blob that the target has taken for certain, from its start."""
        self.offered = offset
        """Bytes of the blob that the target may have taken."""
        self._blob = blob
        self._source = source
        self._check = check
        self._offset = offset
        self._read = min(check.position, offset)
        self._loop = asyncio.get_running_loop()
        self._stack = AsyncExitStack()
        self._download: Download | None = None
        self._opening: Callable[[], object] = lambda: None
        self._aborted = False
        self._tries = 0
        self._broke_at = self._read

    async def open(self) -> None:
        """Open the download, so that no upload begins without one; not where nothing is left to be read."""
        if self._read < self._blob.size:
            self.flow.wait_for(Side.SOURCE)
            await self._open()
            self.flow.wait_for(Side.TARGET)

    async def close(self) -> None:
        await self._stack.aclose()

    def send_to(self, write: Write) -> None:
        """Write the bytes; called once, in a thread."""
        buffer = memoryview(bytearray(min(BUFFER_SIZE, self._blob.size - self._read)))
        while self._read < self._blob.size:
            self.flow.wait_for(Side.SOURCE)
            data = buffer[: self._read_into(buffer)]
            self.flow.wait_for(Side.TARGET)
            for start in range(0, len(data), PIECE_SIZE):
                self._pass_on(data[start : start + PIECE_SIZE], write)
        self.flow.wait_for(Side.TARGET)

    def abort(self) -> None:
        """Make `send_to` end soon; called from the event loop."""
        self._aborted = True
        self._opening()
        if self._download:
            self._download.abort()

    def _pass_on(self, piece: memoryview, write: Write) -> None:
        """Hash what follows, and write what of it the target has not taken yet."""
        self._check.take(piece, self._read)
        unsent = piece[max(self._offset - self._read, 0) :]
        self._read += len(piece)
        if unsent:
            self.offered = self._read
            write(unsent)
            self.taken = self._read
        self.flow.moved(len(piece))

    def _read_into(self, buffer: memoryview) -> int:
        """Read on, from another download where this one breaks."""
        while True:
            try:
                if self._download and (count := self._read_from(self._download, buffer)):
                    return count
            except LongshoreError as error:
                failed = error
            else:
                failed = LongshoreError(Code.SOURCE_UNAVAILABLE, f"Blob {self._blob.digest} ended too early.")
            opening = asyncio.run_coroutine_threadsafe(self._open_again(failed), self._loop)
            self._opening = opening.cancel
            if self._aborted:  # Only now: whoever aborts from here on finds the opening.
                opening.cancel()
            opening.result()

    def _read_from(self, download: Download, buffer: memoryview) -> int:
        """Read on; a source that begins anew moves too, while it comes to where we are."""
        while count := download.skip_into(buffer):
            self.flow.moved(count)
        return download.read_into(buffer)

    async def _open_again(self, failed: LongshoreError) -> None:
        if self._read - self._broke_at >= WORTHWHILE:
            self._tries = 0
        self._broke_at = self._read
        while True:
            self._tries += 1
            if self._tries == DOWNLOAD_TRIES:
                raise failed
            await backoff_or_raise(failed, self._tries)
            try:
                return await self._open()
            except LongshoreError as error:
                failed = error

    async def _open(self) -> None:
        await self._stack.aclose()
        self._download = await self._stack.enter_async_context(self._source.download_blob(self._blob, self._read))


async def backoff_or_raise(error: LongshoreError, failures: int) -> None:
    """Sleep before the next try of a blob, or raise the error where another try makes no sense here."""
    delay = error.retry_after or BLOB_RETRY.delay(failures)
    if not error.kind.retryable or error.kind.parks or delay > MAX_BLOB_DELAY:
        raise error
    await asyncio.sleep(delay)
