"""The operator's limits hold while an engine's layers are streamed: an engine may state too small a size."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from import_worker.engine.compression import Compression
from import_worker.engine.source import EngineImage
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.planning.budget import PlanLimits
from tests.import_worker.ends import Board
from tests.import_worker.engine.exports import AMD, DictStreamTarget, Saved, TarEngine, layer

LAYER_BYTES = 6_000_000
LARGE = layer("large", LAYER_BYTES)
# Far less than a layer, and more than a buffer on the way. Bytes.
MARGIN = LAYER_BYTES // 2


@dataclass
class CountedEngine(TarEngine):
    """States that its layers are empty, and counts the bytes that are read of its export."""

    read: int = 0

    @asynccontextmanager
    async def export(self, image_id: Digest) -> AsyncIterator[AsyncIterator[bytes]]:
        async with super().export(image_id) as chunks:

            async def counted() -> AsyncIterator[bytes]:
                async for chunk in chunks:
                    self.read += len(chunk)
                    yield chunk

            yield counted()


async def push(layers: list[bytes], limits: PlanLimits) -> tuple[CountedEngine, DictStreamTarget, str]:
    """Push an image with these layers; return the refusal's text, too."""
    saved = Saved(layers=layers)
    described = replace(saved.described, sizes=tuple(0 for _ in layers))
    engine, target = CountedEngine(described, saved.legacy()), DictStreamTarget({})
    source = EngineImage(engine=engine, name="app:1", target=target, compression=Compression.GZIP, limits=limits)
    with pytest.raises(LongshoreError) as refused:
        await source.push(await source.describe(None, [AMD]), Board())
    return engine, target, str(refused.value)


async def test_a_layer_beyond_the_limit_is_refused_while_it_streams() -> None:
    """The rest of the layer is not read, its upload is cancelled, and nothing of it becomes a blob."""
    engine, target, refusal = await push([LARGE], PlanLimits(blob_bytes=1_000_000))
    assert "image_too_large" in refusal
    assert "MAX_BLOB_BYTES" in refusal
    assert engine.read < LAYER_BYTES - MARGIN
    assert (target.cancelled, target.blobs) == (1, {})
    assert engine.closed == 1


async def test_layers_that_are_too_much_together_are_refused_while_they_stream() -> None:
    """Each layer alone is within its limit; what was pushed before stays, as after any failed attempt."""
    layers = [layer(f"part {number}", 5_000_000) for number in range(3)]
    engine, target, refusal = await push(layers, PlanLimits(image_bytes=8_000_000, blob_bytes=6_000_000))
    assert "image_too_large" in refusal
    assert "MAX_IMAGE_BYTES" in refusal
    assert target.cancelled == 1
    assert len(target.blobs) == 1
    assert engine.closed == 1
