"""One blob from source to target: mounted, else moved with its digest computed on the way."""

from import_worker.endpoints import Source, Target, Upload
from import_worker.flow import Advance, unless_stalled
from import_worker.passage import Check, Passage
from import_worker.tries import wait_or_raise
from shared.concurrency import run_in_thread
from shared.errors import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.planning.mismatch import blob_digest_mismatch
from shared.progress import Transfer

# Tries of one blob within one attempt of its import; after that the import as a whole waits and tries again.
BLOB_TRIES = 3
# Blobs up to here are read as a whole before they are sent: one request that can be repeated. Bytes; no more than a
# larger blob's buffer.
WHOLE_SIZE = 1024 * 1024


async def copy_blob(
    blob: Descriptor, source: Source, target: Target, *, candidate: str | None, advance: Advance
) -> Transfer:
    """Make the target hold a blob that it lacked a moment ago, and return how that came about.

    `candidate` is a repository of the target that is thought to hold it. A failure that another try may mend is tried
    again here, a few times.
    """
    copy = _BlobCopy(blob, source, target, advance)
    try:
        for attempt in range(1, BLOB_TRIES):
            try:
                return await copy.run(candidate)
            except LongshoreError as error:
                await wait_or_raise(error, attempt)
            # What failed may have been the answer alone.
            if await target.has_blob(blob):
                return Transfer.COPIED
        return await copy.run(candidate)
    except BaseException:
        await copy.give_up()
        raise


class _BlobCopy:
    """One blob's way through several tries; what an upload has taken is not sent again where that can be proven."""

    def __init__(self, blob: Descriptor, source: Source, target: Target, advance: Advance) -> None:
        self._blob = blob
        self._source = source
        self._target = target
        self._advance = advance
        self._upload: Upload | None = None
        self._check = Check(blob)
        self._sent = 0

    async def run(self, candidate: str | None) -> Transfer:
        """Try once: mount it, or send it whole, or what is left of it."""
        offset = await self._continued()
        if self._upload is None:
            self._check = Check(self._blob)
            self._upload = await self._start(candidate)
        if self._upload is None:
            return Transfer.MOUNTED
        if self._blob.size <= WHOLE_SIZE:
            await self._upload.send(self._blob, await self._read_whole())
        else:
            await self._send(self._upload, offset)
            await self._upload.commit(self._blob)
        return Transfer.COPIED

    async def give_up(self) -> None:
        """Tell the target to forget what it has taken."""
        upload, self._upload = self._upload, None
        if upload:
            await upload.cancel()

    async def _start(self, candidate: str | None) -> Upload | None:
        return await (self._target.mount_blob(self._blob, candidate) if candidate else self._target.start_upload())

    async def _continued(self) -> int:
        """Return how much of the blob a broken upload has taken; it is given up where that is not certain."""
        taken = await self._upload.taken() if self._upload and self._sent else None
        if taken is None or taken > self._sent:
            await self.give_up()
            return 0
        return taken

    async def _send(self, upload: Upload, offset: int) -> None:
        passage = Passage(self._blob, self._source, self._check, offset=offset)

        def look() -> None:
            self._sent = passage.taken
            self._advance(passage.taken)

        try:
            await unless_stalled(_pass(upload, offset, passage), passage.flow, f"Blob {self._blob.digest}", look)
        finally:
            look()
            await passage.close()

    async def _read_whole(self) -> bytes:
        async with self._source.open_blob(self._blob) as chunks:
            content = b"".join([chunk async for chunk in chunks])
        if not self._blob.digest.matches(content):
            raise blob_digest_mismatch(self._blob)
        return content


async def _pass(upload: Upload, offset: int, passage: Passage) -> None:
    """Send what the target has not taken yet; of what it has, only the digest may be open."""
    if passage.size:
        await passage.open()
        await upload.append(offset, passage)
    elif not passage.checked:
        await passage.open()
        await run_in_thread(lambda: passage.send_to(_drop), passage.abort)


def _drop(_data: memoryview) -> None:
    """Write nowhere."""
