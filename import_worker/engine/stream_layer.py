"""One layer of an export on its way into the target, compressed as it passes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing

from import_worker.copying.stall import Flow, unless_stalled
from import_worker.engine.compression import Compression, LayerPacker
from import_worker.engine.image import StreamTarget
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

# Told how many bytes of the layer, as the export has it, the target has taken.
Advance = Callable[[int], None]


async def stream_layer(
    content: AsyncIterator[bytes],
    target: StreamTarget,
    compression: Compression,
    *,
    check: Callable[[Digest], bool],
    advance: Advance,
) -> tuple[Digest, Descriptor] | None:
    """Upload the layer; return its diff id and what the target has now.

    `check` is asked about the diff id before the blob is committed: None where it said no. It may raise.
    """
    first = await anext(content, b"")
    packer = LayerPacker(first, compression)
    upload = await target.start_stream()
    try:
        flow = Flow()
        async with AsyncExitStack() as stack:
            packed = await stack.enter_async_context(aclosing(_packed(first, content, packer)))
            watched = await stack.enter_async_context(aclosing(flow.watched(packed, lambda _: advance(packer.taken))))
            await unless_stalled(upload.send(watched), flow, "A layer of the engine's export")
        if check(packer.diff_id):
            await upload.commit(packer.digest)
            return packer.diff_id, _described(packer)
    except BaseException:
        await upload.cancel()
        raise
    await upload.cancel()
    return None


async def _packed(first: bytes, content: AsyncIterator[bytes], packer: LayerPacker) -> AsyncGenerator[bytes, None]:
    """Compress and hash in another thread, which both libraries leave the interpreter free for."""
    try:
        yield await asyncio.to_thread(packer.pack, first)
        async for piece in content:
            yield await asyncio.to_thread(packer.pack, piece)
        yield await asyncio.to_thread(packer.finish)
    except ValueError as error:
        raise LongshoreError(Code.BLOB_DIGEST_MISMATCH, f"A layer of the engine's export is broken: {error}.") from None


def _described(packer: LayerPacker) -> Descriptor:
    return Descriptor(media_type=packer.compression.media_type, digest=packer.digest, size=packer.size)
