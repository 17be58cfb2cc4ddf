"""Request bodies and readers for the tests of bulk transfers."""

import asyncio
import threading
from collections.abc import Callable

from shared.http_client.body import Write
from shared.oci.descriptor import Descriptor
from shared.registry.repository import Repository

PIECE = 64 * 1024


class Bytes:
    """A body of these bytes; `size` is announced. Before the end, `then` is called."""

    def __init__(self, content: bytes, *, size: int | None = None, then: Callable[[], None] = lambda: None) -> None:
        self.size = len(content) if size is None else size
        self._content = memoryview(content)
        self._then = then

    def send_to(self, write: Write) -> None:
        for start in range(0, len(self._content), PIECE):
            write(self._content[start : start + PIECE])
        self._then()

    def abort(self) -> bool:
        """Return that the server need not be waited for: the body ends by itself."""
        return False


class Stopped:
    """A body that stops after its first bytes, until it is aborted."""

    size = 10_000_000

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.ended = threading.Event()
        self._aborted = threading.Event()

    def send_to(self, write: Write) -> None:
        write(memoryview(bytes(1000)))
        self.reached.set()
        self._aborted.wait()
        self.ended.set()
        raise ConnectionResetError

    def abort(self) -> bool:
        self._aborted.set()
        return False


async def read_in_bulk(repository: Repository, blob: Descriptor, offset: int = 0) -> bytes:
    """Read a blob as the copy does."""
    async with repository.download_blob(blob, offset) as download:

        def read() -> bytes:
            buffer, content = memoryview(bytearray(PIECE)), bytearray()
            while download.skip_into(buffer):
                pass
            while count := download.read_into(buffer):
                content += buffer[:count]
            return bytes(content)

        return await asyncio.to_thread(read)


async def push_in_bulk(repository: Repository, blob: Descriptor, content: bytes) -> None:
    """Send and commit a blob as the copy does."""
    session = await repository.patch_upload(await repository.start_upload(), 0, Bytes(content))
    await repository.commit_upload(session, blob.digest)
