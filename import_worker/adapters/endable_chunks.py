"""The chunks of a stream that can be ended early, so that the request that sends them ends well."""

import asyncio
from collections.abc import AsyncIterator


class EndableChunks:
    """Chunks that end with `end`, or when their source fails; `error` is that failure."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.error: Exception | None = None
        self._chunks = chunks
        self._ended = asyncio.Event()
        self._next: asyncio.Task[bytes] | None = None

    def __aiter__(self) -> "EndableChunks":
        return self

    async def __anext__(self) -> bytes:
        if self._ended.is_set():
            raise StopAsyncIteration
        self._next = asyncio.create_task(self._take())
        try:
            return await self._next
        except asyncio.CancelledError:
            task = asyncio.current_task()
            # The HTTP client's own cancellation of its reader is not the end of the chunks.
            if not self._ended.is_set() or (task and task.cancelling()):
                raise
        except StopAsyncIteration:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the source raises comes out of `error`
            self.error = error
        raise StopAsyncIteration

    def end(self) -> None:
        """End the chunks now, also while the next one is awaited."""
        self._ended.set()
        if self._next:
            self._next.cancel()

    async def _take(self) -> bytes:
        return await anext(self._chunks)
