"""Watches one blob on its way from source to target and says which side holds it up.

aiohttp's own timeouts do not: `sock_read` is not armed while a request body is being sent, and a drip of single bytes
keeps resetting it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from time import monotonic
from typing import Any

from shared.concurrency import cancel_all
from shared.errors import LongshoreError, Side

# Nothing moved for so long: the side that is being waited for has stalled. Seconds. Above the pauses that storage
# back ends make when they commit a large blob, below a person's patience.
STALL_SECONDS = 60.0
# Fewer bytes than this in a whole window count as nothing: a connection that drips is worth a new one.
MIN_BYTES_PER_WINDOW = 64 * 1024
# How often the watch looks. Seconds.
CHECK_SECONDS = 1.0

# Told how many bytes of the blob the target has taken.
Advance = Callable[[int], None]


class Flow:
    """Who is being waited for, since when, and how much has moved in the current window."""

    def __init__(self, *, stall_seconds: float = STALL_SECONDS) -> None:
        self._stall_seconds = stall_seconds
        self._waiting_for = Side.TARGET
        self._since = self._window_start = self._last_moved = monotonic()
        self._waited = {Side.SOURCE: 0.0, Side.TARGET: 0.0}
        self._moved = 0

    async def watched(self, chunks: AsyncIterator[bytes], advance: Advance) -> AsyncGenerator[bytes, None]:
        """Pass the chunks on, taking note of the time that each side needs and of what the target has taken."""
        offset = 0
        self._wait_for(Side.SOURCE)
        async for chunk in chunks:
            self._wait_for(Side.TARGET)
            yield chunk
            self._last_moved = monotonic()
            self._moved += len(chunk)
            offset += len(chunk)
            advance(offset)
            self._wait_for(Side.SOURCE)
        self._wait_for(Side.TARGET)

    def stalled(self) -> Side | None:
        """Return the side that holds the blob up, if one does."""
        now = monotonic()
        if now - max(self._last_moved, self._since) > self._stall_seconds:
            return self._waiting_for
        if now - self._window_start <= self._stall_seconds:
            return None
        self._wait_for(self._waiting_for)
        slowest = max(self._waited, key=self._waited.__getitem__)
        dripping = 0 < self._moved < MIN_BYTES_PER_WINDOW
        self._window_start, self._moved = now, 0
        self._waited = dict.fromkeys(self._waited, 0.0)
        return slowest if dripping else None

    def _wait_for(self, side: Side) -> None:
        now = monotonic()
        self._waited[self._waiting_for] += now - self._since
        self._waiting_for, self._since = side, now


async def unless_stalled(work: Coroutine[Any, Any, None], flow: Flow, subject: str) -> None:
    """Run the work until it ends, or end it with `source_stalled` or `target_stalled` about `subject`."""
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=CHECK_SECONDS))[0]:
            side = flow.stalled()
            if side is not None:
                raise LongshoreError(f"{side}_stalled", f"{subject} does not move: the {side} is being waited for.")
        task.result()
    finally:
        await cancel_all([task])
