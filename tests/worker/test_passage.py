"""A large blob's bytes on their way: what the target is handed at a time, and what the watch sees of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from import_worker.passage import PIECE_SIZE, Check, Passage
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from tests.worker.ends import DictDownload, DictSource

CONTENT = bytes(range(256)) * 12_000


class WholeReads(DictDownload):
    """Fills whatever buffer it gets."""

    def read_into(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class FastSource(DictSource):
    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[DictDownload]:
        yield WholeReads(memoryview(CONTENT), offset, None)


async def test_a_slow_target_is_seen_to_take_some_of_a_buffer() -> None:
    """A megabyte at once would look like nothing for as long as the target needs for all of it."""
    blob = Descriptor(media_type="layer", digest=Digest.of(CONTENT), size=len(CONTENT))
    passage = Passage(blob, FastSource.__new__(FastSource), Check(blob))
    await passage.open()
    taken: list[int] = []

    def write(data: memoryview) -> None:
        assert passage.offered == passage.taken + len(data)
        taken.append(len(data))

    passage.send_to(write)
    await passage.close()
    assert sum(taken) == len(CONTENT) == passage.taken
    assert max(taken) == PIECE_SIZE
