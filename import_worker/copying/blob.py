"""One blob from source to target, with its digest computed on the way."""

from collections.abc import AsyncIterator, Awaitable, Callable

from import_worker.copying.ends import Source, Target, Upload
from import_worker.copying.stall import Advance, Flow, unless_stalled
from import_worker.copying.stream import Check, Passage, backoff_or_raise
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.planning.mismatch import blob_digest_mismatch
from shared.runtime.concurrency import both, run_in_thread

# Tries of one blob within one attempt of its import; after that the import as a whole waits and tries again.
BLOB_TRIES = 3
# Blobs up to here are read as a whole before they are sent: one request that can be repeated. Bytes; no more than a
# larger blob's buffer.
WHOLE_SIZE = 1024 * 1024

# The target did not refuse: it may have done what was asked, and its answer got lost.
LOST_ANSWERS = frozenset({Code.TARGET_UNREACHABLE, Code.TARGET_STALLED})

# Told the address of an upload that has begun, so that another worker may go on with it.
Began = Callable[[str], Awaitable[None]]


async def copy_blob(
    blob: Descriptor, source: Source, target: Target, *, kept: str | None, began: Began, advance: Advance
) -> None:
    """Bring a blob that the target lacked a moment ago.

    `kept` is the address of an upload of it that some worker has begun. A failure that another try may mend is tried
    again here, a few times. What the target has taken when this ends early is left there, for whoever goes on with it,
    unless it is wrong.
    """
    copy = _BlobCopy(blob, source, target, began, advance)
    copy.go_on_with(kept)
    for attempt in range(1, BLOB_TRIES):
        try:
            return await copy.run()
        except LongshoreError as error:
            await copy.give_up_if_wrong(error)
            await backoff_or_raise(error, attempt)
        # What failed may have been the answer alone.
        if await target.has_blob(blob):
            return None
    return await copy.run()


class _BlobCopy:
    """One blob's way through several tries; what an upload has taken is not sent again where that can be proven."""

    def __init__(self, blob: Descriptor, source: Source, target: Target, began: Began, advance: Advance) -> None:
        self._blob = blob
        self._source = source
        self._target = target
        self._began = began
        self._advance = advance
        self._upload: Upload | None = None
        self._check = Check(blob)
        # Bytes that the upload may have taken.
        self._offered = 0
        self._whole = blob.size <= WHOLE_SIZE

    def go_on_with(self, kept: str | None) -> None:
        """Begin with an upload that another worker has left behind."""
        if kept:
            self._upload = self._target.find_upload(kept)
            self._offered = self._blob.size

    async def run(self) -> None:
        """Try once to send the blob, or what is left of it."""
        offset = await self._continued()
        if self._whole:
            content, upload = await both(self._read_whole(), self._started())
            self._offered = self._blob.size
            await upload.send(self._blob, content)
        else:
            upload = await self._passed(offset)
            await upload.commit(self._blob)

    async def give_up_if_wrong(self, error: LongshoreError) -> None:
        """Have the target forget what it has taken where its bytes may be wrong: it said so, or the source's are."""
        complete = self._offered == self._blob.size
        if error.code in LOST_ANSWERS or (error.kind.retryable and not complete):
            return
        await self._give_up()

    async def _give_up(self) -> None:
        upload, self._upload = self._upload, None
        if upload:
            await upload.cancel()

    async def _continued(self) -> int:
        """Return how much of the blob a broken upload has taken; it is given up where that is not certain."""
        if self._upload is None or not self._offered:
            return 0
        taken = None if self._whole else await self._upload.taken()
        if taken is None or taken > self._offered:
            await self._give_up()
            return 0
        return taken

    async def _started(self) -> Upload:
        """Return the upload to go on with, or a new one; the source is asked for the bytes at the same time."""
        if self._upload is None:
            self._upload = await self._target.start_upload()
            await self._began(self._upload.address)
        return self._upload

    async def _passed(self, offset: int) -> Upload:
        """Send everything from the offset on, and return the upload that has it all then."""
        if not offset:
            self._check = Check(self._blob)
        passage = Passage(self._blob, self._source, self._check, offset=offset)

        def look() -> None:
            self._advance(passage.taken)

        try:
            upload, _ = await both(self._started(), passage.open())
            await unless_stalled(_pass(upload, offset, passage), passage.flow, f"Blob {self._blob.digest}", look)
        finally:
            self._offered = passage.offered
            await passage.close()
        return upload

    async def _read_whole(self) -> bytes:
        parts: list[bytes] = []

        async def read(watched: AsyncIterator[bytes]) -> None:
            parts.extend([chunk async for chunk in watched])

        async with self._source.open_blob(self._blob) as chunks:
            flow = Flow()
            flow.wait_for(Side.SOURCE)
            await unless_stalled(read(flow.watched(chunks, lambda _: None)), flow, f"Blob {self._blob.digest}")
        content = b"".join(parts)
        if not self._blob.digest.matches(content):
            raise blob_digest_mismatch(self._blob)
        return content


async def _pass(upload: Upload, offset: int, passage: Passage) -> None:
    """Send what the target has not taken yet; of what it has, only the digest may be open."""
    if passage.size:
        await upload.append(offset, passage)
    else:
        await run_in_thread(lambda: passage.send_to(_drop), passage.abort)


def _drop(_data: memoryview) -> None:
    """Write nowhere."""
