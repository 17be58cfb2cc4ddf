"""Request bodies: one that a thread writes to the socket, and one that the HTTP client reads in chunks."""

import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Protocol

Write = Callable[[memoryview], None]


class Body(Protocol):
    """A body of known size, written by a thread."""

    size: int

    def send_to(self, write: Write) -> None:
        """Write `size` bytes; called once, in a thread. An exception ends the request and is raised unchanged."""
        ...

    def abort(self) -> bool:
        """End `send_to` soon; called from another thread. Return whether the server may still end the request well."""
        ...


class StreamedBody:
    """Passes chunks to the HTTP client once; their total size is known only at the end.

    The client replaces an exception of the chunks by its own, so `error` keeps the original.
    """

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self.sent = 0
        self.error: Exception | None = None
        self._chunks = aiter(chunks)
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = False
        self._exhausted = False

    def __aiter__(self) -> "StreamedBody":
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        self._idle.clear()
        try:
            chunk = await self._next()
        except Exception as error:
            self.error = error
            raise
        finally:
            self._idle.set()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    @property
    def complete(self) -> bool:
        """Whether the client has read all chunks."""
        return self._exhausted

    async def stop(self) -> None:
        """Wait until no task reads the chunks, so that the caller may close them.

        The HTTP client reads them in a task of its own. If a request ends before its body, the client cancels that
        task without awaiting it.
        """
        self._ended = True
        await self._idle.wait()

    async def _next(self) -> bytes | None:
        chunk = await self._next_chunk()
        self._ended = self._exhausted = chunk is None
        self.sent += len(chunk or b"")
        return chunk

    async def _next_chunk(self) -> bytes | None:
        """Return the next chunk that is not empty; None at the end."""
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return None
