"""Request bodies: bytes that a thread writes to the socket, and chunks that the event loop hands to the HTTP client."""

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

    def abort(self) -> None:
        """End `send_to` soon; called from another thread."""
        ...


class StreamedBody:
    """Hands chunks to the HTTP client, once; how many bytes they are shows at their end.

    The client would hide an exception of the chunks behind its own: `error` keeps it.
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
        """Whether the client has taken everything that there was."""
        return self._exhausted

    async def stop(self) -> None:
        """Wait until nobody is in the midst of the chunks, which may then be closed.

        The HTTP client reads them in a task of its own, which it has cancelled but not awaited when a request ends
        before its body does.
        """
        self._ended = True
        await self._idle.wait()

    async def _next(self) -> bytes | None:
        chunk = await self._more()
        self._ended = self._exhausted = chunk is None
        self.sent += len(chunk or b"")
        return chunk

    async def _more(self) -> bytes | None:
        """Return the next chunk that has bytes; None at the end."""
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return None
