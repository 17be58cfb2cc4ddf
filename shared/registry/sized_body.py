"""A request body of exactly the announced size, whose own failure is not lost in the HTTP client's."""

import asyncio
from collections.abc import AsyncIterable


class BodySizeError(Exception):
    """The chunks were fewer or more bytes than announced."""


class SizedBody:
    """Hands chunks to the HTTP client, once.

    The client would cut a body that is too long, wait for ever on one that is too short, and hide an exception of the
    chunks behind its own: `error` keeps it. The last chunk is handed over only when the chunks have ended well, so
    that whatever they raise at their end still keeps the registry from having the whole blob.
    """

    def __init__(self, chunks: AsyncIterable[bytes], size: int) -> None:
        self.size = size
        self.sent = 0
        self.error: Exception | None = None
        self._chunks = aiter(chunks)
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = False

    def __aiter__(self) -> "SizedBody":
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
        return self.sent == self.size

    async def stop(self) -> None:
        """Wait until nobody is in the midst of the chunks, which may then be closed.

        The HTTP client reads them in a task of its own, which it has cancelled but not awaited when a request ends
        before its body does.
        """
        self._ended = True
        await self._idle.wait()

    async def _next(self) -> bytes | None:
        chunk = await self._more()
        length = self.sent + len(chunk or b"")
        if length >= self.size or chunk is None:
            self._ended = True
            extra = await self._more() if chunk else None
            if extra or length > self.size:
                raise BodySizeError(f"it has more than its {self.size} bytes")
            if length < self.size:
                raise BodySizeError(f"it ended after {length} of {self.size} bytes")
        self.sent = length
        return chunk

    async def _more(self) -> bytes | None:
        """Return the next chunk that has bytes; None at the end."""
        async for chunk in self._chunks:
            if chunk:
                return chunk
        return None
