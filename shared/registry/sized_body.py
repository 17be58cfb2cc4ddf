"""A request body of exactly the announced size, whose own failure is not lost in the HTTP client's."""

from collections.abc import AsyncIterable, AsyncIterator


class BodySizeError(Exception):
    """The chunks were fewer or more bytes than announced."""


class SizedBody:
    """Hands chunks to the HTTP client once.

    The client would cut a body that is too long, wait for ever on one that is too short, and hide an exception of the
    source behind its own: `error` keeps it.
    """

    def __init__(self, chunks: AsyncIterable[bytes], size: int) -> None:
        self.size = size
        self.sent = 0
        self.error: Exception | None = None
        self._chunks = chunks

    @property
    def complete(self) -> bool:
        return self.sent == self.size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._chunks:
                self._count(len(chunk))
                yield chunk
            if not self.complete:
                raise BodySizeError(f"the blob ended after {self.sent} of {self.size} bytes")  # noqa: TRY301
        except Exception as error:
            self.error = error
            raise

    def _count(self, more: int) -> None:
        self.sent += more
        if self.sent > self.size:
            raise BodySizeError(f"the blob has more than its {self.size} bytes")
