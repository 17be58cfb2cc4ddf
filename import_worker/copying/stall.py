"""Watches one blob on its way from source to target and says which side holds it up.

Timeouts on single reads and writes do not: they are not armed while the other side is being waited for, and a drip of
single bytes keeps resetting them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from time import monotonic
from typing import Any, NamedTuple

from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import cancel_all

# Nothing moved for so long: the side that is being waited for has stalled. Seconds. Above the pauses that storage
# back ends make when they commit a large blob, below a person's patience.
STALL_SECONDS = 60.0
# Fewer bytes than this in a whole window count as nothing: a connection that drips is worth a new one.
MIN_BYTES_PER_WINDOW = 64 * 1024
# How often the watch looks, and progress shows. Seconds.
CHECK_SECONDS = 0.25

# What a blob that does not move fails with, by the side that is being waited for.
STALLED = {Side.SOURCE: Code.SOURCE_STALLED, Side.TARGET: Code.TARGET_STALLED}

# Told how many bytes of the blob the target has taken.
Advance = Callable[[int], None]


class _Look(NamedTuple):
    """The figures at a moment: bytes moved, and seconds that each side was waited for."""

    at: float
    moved: int
    waited: dict[Side, float]


class Flow:
    """Who is being waited for, since when, and how much has moved.

    The one who moves the bytes, a thread perhaps, only writes its own figures; the one who watches only reads them.
    """

    def __init__(self, *, stall_seconds: float | None = None) -> None:
        self._stall_seconds = STALL_SECONDS if stall_seconds is None else stall_seconds
        self._waiting_for = Side.TARGET
        self._since = self._last_moved = monotonic()
        self._waited = {Side.SOURCE: 0.0, Side.TARGET: 0.0}
        self._moved = 0
        # The watcher's: the figures as they were at each look, back to the beginning of the current window.
        self._looks = deque([_Look(self._since, 0, dict(self._waited))])

    def wait_for(self, side: Side) -> None:
        """Note that from now on this side is being waited for."""
        now = monotonic()
        self._waited[self._waiting_for] += now - self._since
        self._waiting_for, self._since = side, now

    def moved(self, count: int) -> None:
        """Note that the target has taken so many bytes more."""
        self._last_moved = monotonic()
        self._moved += count

    async def watched(self, chunks: AsyncIterator[bytes], advance: Advance) -> AsyncGenerator[bytes, None]:
        """Pass the chunks on, taking note of the time that each side needs and of what the target has taken."""
        offset = 0
        self.wait_for(Side.SOURCE)
        async for chunk in chunks:
            self.wait_for(Side.TARGET)
            yield chunk
            self.moved(len(chunk))
            offset += len(chunk)
            advance(offset)
            self.wait_for(Side.SOURCE)
        self.wait_for(Side.TARGET)

    def stalled(self) -> Side | None:
        """Return the side that holds the blob up, if one does."""
        now = monotonic()
        if now - max(self._last_moved, self._since) > self._stall_seconds:
            return self._waiting_for
        waited = dict(self._waited)
        waited[self._waiting_for] += now - self._since
        self._looks.append(_Look(now, self._moved, waited))
        while now - self._looks[1].at >= self._stall_seconds:
            self._looks.popleft()
        before = self._looks[0]
        if now - before.at < self._stall_seconds or not 0 < self._moved - before.moved < MIN_BYTES_PER_WINDOW:
            return None
        return max(waited, key=lambda side: waited[side] - before.waited[side])


async def unless_stalled(
    work: Coroutine[Any, Any, None], flow: Flow, subject: str, look: Callable[[], None] = lambda: None
) -> None:
    """Run the work until it ends, or end it with `source_stalled` or `target_stalled` about `subject`.

    `look` is called now and then while it runs.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=CHECK_SECONDS))[0]:
            look()
            side = flow.stalled()
            if side is not None:
                raise LongshoreError(STALLED[side], f"{subject} does not move: the {side} is being waited for.")
        task.result()
    finally:
        await cancel_all([task])
