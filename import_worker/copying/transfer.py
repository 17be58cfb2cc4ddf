"""One blob's transfer from the source to the target, with retries that repeat as few bytes as possible.

Why: docs/decisions/0003.
"""

from collections.abc import Awaitable, Callable

from import_worker.copying.ends import Source, Target, Upload
from import_worker.copying.pace import Pace
from import_worker.copying.stall import Advance, StallWatch, run_until_stalled
from import_worker.copying.stream import BlobStream, DigestCheck, backoff_or_raise
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.planning.source import blob_digest_mismatch
from shared.runtime.concurrency import both

# Tries of one blob within one attempt of its import; after that the import as a whole waits and tries again.
BLOB_TRIES = 3
# Blobs up to this size are read completely before they are sent: one request that can be repeated. Bytes; no more than
# a larger blob's buffer.
WHOLE_SIZE = 1024 * 1024

# The target did not refuse: it may have carried out the request, and only its answer was lost.
LOST_ANSWERS = frozenset({Code.TARGET_UNREACHABLE, Code.TARGET_STALLED})

# Receives the address of an upload, so that another worker can continue it.
UploadStarted = Callable[[str], Awaitable[None]]


class BlobTransfer:
    """Sends one blob over several tries; bytes that the target reports as received are not sent again.

    If the last try fails, its upload stays at the target for the next attempt, unless its bytes may be wrong.
    """

    def __init__(
        self,
        blob: Descriptor,
        source: Source,
        target: Target,
        *,
        upload_started: UploadStarted,
        advance: Advance,
        resume: str | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Prepare to send the blob; `resume` is the address of an upload that another worker left unfinished."""
        self._blob = blob
        self._source = source
        self._target = target
        self._upload_started = upload_started
        self._advance = advance
        self._pace = pace or Pace()
        self._upload: Upload | None = target.resume_upload(resume) if resume else None
        self._announced = resume
        # Bytes that the upload may have received.
        self._offered = blob.size if resume else 0
        self._digest_check = DigestCheck(blob)
        self.read = False
        """Whether all bytes have been read from the source with the right digest; the target may have had them."""

    async def run(self) -> None:
        """Send the blob, with another try after each failure that another try may mend."""
        send = self._send_whole if self._blob.size <= WHOLE_SIZE else self._send_stream
        for failures in range(1, BLOB_TRIES):
            try:
                return await send()
            except LongshoreError as error:
                if self._may_be_wrong(error):
                    await self._cancel_upload()
                await backoff_or_raise(error, failures)
            # The target may have committed the blob although its answer was lost.
            if await self._target.has_blob(self._blob):
                return None
        return await send()

    async def _send_stream(self) -> None:
        """Stream the blob, or the part that an interrupted upload lacks, and commit it."""
        offset = await self._resumable_offset()
        if not offset:
            self._digest_check = DigestCheck(self._blob)
        stream = BlobStream(self._blob, self._source, self._digest_check, offset=offset, pace=self._pace)
        try:
            upload, _ = await both(self._open_upload(), stream.open())
            sending = upload.append(offset, stream) if stream.size else stream.check_digest()
            await run_until_stalled(
                sending, stream.stall_watch, f"Blob {self._blob.digest}", lambda: self._advance(stream.written)
            )
        finally:
            self.read = self._digest_check.matched
            self._offered = stream.offered
            await stream.close()
            await self._announce_upload()
        await upload.commit(self._blob)

    async def _send_whole(self) -> None:
        """Read the blob completely, then send and commit it in one request."""
        if self._offered:
            await self._cancel_upload()
        content, upload = await both(self._read_whole(), self._open_upload())
        self._offered = self._blob.size
        await upload.send(self._blob, content)

    async def _read_whole(self) -> bytes:
        parts: list[bytes] = []

        # The stall's own minimum is enough for so few bytes.
        watch = StallWatch(line=self._pace.line)
        watch.wait_for(Side.SOURCE)

        async def read() -> None:
            async with self._source.open_blob(self._blob) as chunks:
                parts.extend([chunk async for chunk in watch.watched(chunks, lambda _: None)])

        await run_until_stalled(read(), watch, f"Blob {self._blob.digest}")
        content = b"".join(parts)
        if not self._blob.digest.matches(content):
            raise blob_digest_mismatch(self._blob)
        self.read = True
        return content

    async def _open_upload(self) -> Upload:
        """Return the upload to continue, or start one."""
        if self._upload is None:
            self._upload = await self._target.start_upload()
        await self._announce_upload()
        return self._upload

    async def _announce_upload(self) -> None:
        """Announce the upload's address, so that another worker can continue it; it changes with each request."""
        if self._upload and self._upload.address != self._announced:
            self._announced = self._upload.address
            await self._upload_started(self._announced)

    async def _resumable_offset(self) -> int:
        """Return how many bytes an interrupted upload has received; cancel the upload if that is not certain."""
        if self._upload is None or not self._offered:
            return 0
        received = await self._upload.received()
        if received is None or received > self._offered:
            await self._cancel_upload()
            return 0
        return received

    def _may_be_wrong(self, error: LongshoreError) -> bool:
        """Return whether the upload may hold wrong bytes: the target refused all of them, or the source's are wrong."""
        if error.code in LOST_ANSWERS:
            return False
        return not error.kind.retryable or self._offered == self._blob.size

    async def _cancel_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload:
            await upload.cancel()
