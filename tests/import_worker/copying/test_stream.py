"""A large blob's bytes: the pieces that the target receives, and the movement that the watch sees."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from import_worker.copying import stall
from import_worker.copying.stream import PIECE_SIZE, BlobStream, DigestCheck
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from tests.import_worker.ends import DictDownload, DictSource

CONTENT = bytes(range(256)) * 12_000


class WholeReads(DictDownload):
    """Fills the whole buffer."""

    def read_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class FromTheStart(WholeReads):
    """Ignores the offset; checks the stream's movement at each piece that was not requested."""

    def __init__(self, content: memoryview, offset: int, seen: Callable[[], None]) -> None:
        super().__init__(content, offset, None)
        self._unasked = content[:offset]
        self._seen = seen

    def skip_into(self, buffer: memoryview) -> int:
        self._seen()
        count = min(len(buffer), len(self._unasked))
        self._unasked = self._unasked[count:]
        return count


class FastSource(DictSource):
    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[DictDownload]:
        yield WholeReads(memoryview(CONTENT), offset, None)


class AnewSource(DictSource):
    def __init__(self, seen: Callable[[], None]) -> None:
        self._seen = seen

    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[DictDownload]:
        yield FromTheStart(memoryview(CONTENT), offset, self._seen)


async def test_a_slow_target_is_seen_to_take_some_of_a_buffer() -> None:
    """Writing a megabyte at once would look like a stall until the target has read all of it."""
    blob = Descriptor(media_type="layer", digest=Digest.of(CONTENT), size=len(CONTENT))
    stream = BlobStream(blob, FastSource.__new__(FastSource), DigestCheck(blob))
    await stream.open()
    taken: list[int] = []

    def write(data: memoryview) -> None:
        assert stream.offered == stream.written + len(data)
        taken.append(len(data))

    stream.send_to(write)
    await stream.close()
    assert sum(taken) == len(CONTENT) == stream.written
    assert max(taken) == PIECE_SIZE


async def test_a_source_that_begins_anew_is_seen_to_move(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ignores the Range, and on a slow line the repeated bytes take longer than a stall."""
    blob = Descriptor(media_type="layer", digest=Digest.of(CONTENT), size=len(CONTENT))
    clock = [1000.0]
    monkeypatch.setattr(stall, "monotonic", lambda: clock[0])
    check = DigestCheck(blob)
    check.update(memoryview(CONTENT)[: len(CONTENT) // 2], 0)
    stalled: list[object] = []

    def seen() -> None:
        clock[0] += stall.STALL_SECONDS * 0.9
        stalled.append(stream.stall_watch.stalled_side())

    stream = BlobStream(blob, AnewSource(seen), check, offset=len(CONTENT) // 2)
    await stream.open()
    received = bytearray()
    stream.send_to(received.extend)
    await stream.close()
    assert received == CONTENT[len(CONTENT) // 2 :]
    assert len(stalled) > 2
    assert set(stalled) == {None}
