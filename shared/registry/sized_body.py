"""A request body of exactly the announced size."""

from collections.abc import AsyncIterable

from shared.registry.streamed_body import StreamedBody


class BodySizeError(Exception):
    """The chunks were fewer or more bytes than announced."""


class SizedBody(StreamedBody):
    """Hands chunks to the HTTP client, once.

    The client would cut a body that is too long, and wait for ever on one that is too short. The last chunk is handed
    over only when the chunks have ended well, so that whatever they raise at their end still keeps the registry from
    having the whole blob.
    """

    def __init__(self, chunks: AsyncIterable[bytes], size: int) -> None:
        super().__init__(chunks)
        self.size = size

    @property
    def complete(self) -> bool:
        return self.sent == self.size

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
