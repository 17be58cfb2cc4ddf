"""One blob from source to target: mounted, else streamed with its digest computed on the way."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from import_worker.endpoints import Source, Target, Upload
from import_worker.flow import Advance, Flow, unless_stalled
from shared.errors import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.planning.mismatch import blob_digest_mismatch
from shared.progress import Transfer

# Tries of one blob within one attempt of its import; after that the import as a whole waits and tries again.
BLOB_TRIES = 3
# Tries of a broken download within one upload, each going on where the last one ended.
DOWNLOAD_TRIES = 5
# Before a second try; doubled with each further one, and jittered so that layers do not return in step. Seconds.
FIRST_DELAY = 0.5
# A wait longer than this is the import's, not the blob's: it would keep a worker's slot for nothing. Seconds.
MAX_DELAY = 10.0
# Hashing smaller chunks in another thread costs more than it saves. Bytes.
THREADED_HASH_SIZE = 128 * 1024


async def copy_blob(
    blob: Descriptor, source: Source, target: Target, *, candidate: str | None, advance: Advance
) -> Transfer:
    """Make the target hold a blob that it lacked a moment ago, and return how that came about.

    `candidate` is a repository of the target that is thought to hold it. A failure that another try may mend is tried
    again here, a few times.
    """
    for attempt in range(1, BLOB_TRIES):
        try:
            return await _copy_once(blob, source, target, candidate, advance)
        except LongshoreError as error:
            await wait_or_raise(error, attempt)
        # What failed may have been the answer alone.
        if await target.has_blob(blob):
            return Transfer.COPIED
    return await _copy_once(blob, source, target, candidate, advance)


async def wait_or_raise(error: LongshoreError, attempt: int) -> None:
    """Sleep before the next try, or raise the error where another try makes no sense here."""
    delay = error.retry_after or FIRST_DELAY * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
    if not error.kind.retryable or error.kind.parks or delay > MAX_DELAY:
        raise error
    await asyncio.sleep(delay)


async def _copy_once(
    blob: Descriptor, source: Source, target: Target, candidate: str | None, advance: Advance
) -> Transfer:
    upload = await (target.mount_blob(blob, candidate) if candidate else target.start_upload())
    if upload is None:
        return Transfer.MOUNTED
    await _stream(blob, source, upload, advance)
    return Transfer.COPIED


async def _stream(blob: Descriptor, source: Source, upload: Upload, advance: Advance) -> None:
    flow = Flow()
    try:
        async with AsyncExitStack() as stack:
            # Each generator is closed here, the outermost first, so that no connection outlives a broken copy.
            download = await stack.enter_async_context(aclosing(downloaded(source, blob)))
            checked = await stack.enter_async_context(aclosing(verified(download, blob)))
            watched = await stack.enter_async_context(aclosing(flow.watched(checked, advance)))
            await unless_stalled(upload.send(blob, watched), flow, f"Blob {blob.digest}")
    except BaseException:
        await upload.cancel()
        raise


async def downloaded(source: Source, blob: Descriptor) -> AsyncGenerator[bytes, None]:
    """Stream the blob; a connection that breaks is opened again where it ended, into the same upload."""
    offset = attempt = 0
    while True:
        try:
            async with source.open_blob(blob, offset) as chunks:
                async for chunk in chunks:
                    offset += len(chunk)
                    yield chunk
        except LongshoreError as error:
            attempt += 1
            if attempt == DOWNLOAD_TRIES:
                raise
            await wait_or_raise(error, attempt)
        else:
            return
        if offset == blob.size:
            return  # It broke at the very end; asking for the rest would be a malformed range.


async def verified(chunks: AsyncIterator[bytes], blob: Descriptor) -> AsyncGenerator[bytes, None]:
    """Pass the chunks on, the last one only when all of them together have the blob's digest.

    So the target never has a whole blob that could be committed before its digest is known to be right.
    """
    hasher = blob.digest.hasher()
    held = b""
    async for chunk in chunks:
        if held:
            yield held
        if len(chunk) >= THREADED_HASH_SIZE:
            await asyncio.to_thread(hasher.update, chunk)
        else:
            hasher.update(chunk)
        held = chunk
    if hasher.hexdigest() != blob.digest.hex:
        raise blob_digest_mismatch(blob)
    if held:
        yield held
