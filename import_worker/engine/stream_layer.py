"""Streams one layer of an export to the target, compressing it on the way."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing

from import_worker.copying.stall import Advance, StallWatch, run_until_stalled
from import_worker.engine.compression import Compression, LayerPacker
from import_worker.engine.ends import StreamTarget
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest


async def stream_layer(
    content: AsyncIterator[bytes],
    target: StreamTarget,
    compression: Compression,
    *,
    accept: Callable[[Digest], bool],
    advance: Advance,
) -> tuple[Digest, Descriptor] | None:
    """Upload the layer; return its diff id and the blob that the target holds.

    `accept` decides on the diff id before the blob is committed; returns None if it declines. It may raise. `advance`
    counts the layer's bytes in the export.
    """
    first = await anext(content, b"")
    packer = LayerPacker(first, compression)
    upload = await target.start_stream()
    try:
        watch = StallWatch()
        async with AsyncExitStack() as stack:
            packed = await stack.enter_async_context(aclosing(_packed(first, content, packer)))
            chunks = await stack.enter_async_context(aclosing(watch.watched(packed, lambda _: advance(packer.taken))))
            await run_until_stalled(upload.send(chunks), watch, "A layer of the engine's export")
        if accept(packer.diff_id):
            await upload.commit(packer.digest)
            return packer.diff_id, _described(packer)
    except BaseException:
        await upload.cancel()
        raise
    await upload.cancel()
    return None


async def _packed(first: bytes, content: AsyncIterator[bytes], packer: LayerPacker) -> AsyncGenerator[bytes, None]:
    """Compress and hash in another thread; both libraries release the interpreter's lock while they work."""
    try:
        yield await asyncio.to_thread(packer.pack, first)
        async for piece in content:
            yield await asyncio.to_thread(packer.pack, piece)
        yield await asyncio.to_thread(packer.finish)
    except ValueError as error:
        raise LongshoreError(Code.BLOB_DIGEST_MISMATCH, f"A layer of the engine's export is broken: {error}.") from None


def _described(packer: LayerPacker) -> Descriptor:
    return Descriptor(media_type=packer.compression.media_type, digest=packer.digest, size=packer.size)
