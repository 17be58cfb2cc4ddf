"""Detects that a blob has stopped moving between source and target, and which side is responsible.

Timeouts on single reads and writes do not detect it: they are not armed while the other side is being waited for, and
a slow drip of single bytes keeps resetting them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple

from import_worker.copying.pace import PACE_SECONDS, Line, PaceCheck
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import cancel_all

# Without any movement for this long, the side that is being waited for has stalled. Seconds. Longer than the pauses of
# storage back ends that commit a large blob, shorter than a person would wait.
STALL_SECONDS = 60.0
# Fewer bytes than this within STALL_SECONDS count as a stall: a connection that drips is worth replacing.
MIN_BYTES_PER_WINDOW = 64 * 1024
# Between two checks, and two updates of the progress. Seconds.
CHECK_SECONDS = 0.25

# The error of a stalled blob, by the side that is being waited for.
STALLED = {Side.SOURCE: Code.SOURCE_STALLED, Side.TARGET: Code.TARGET_STALLED}

# Receives the number of bytes, from the start of the blob, that have been sent to the target.
Advance = Callable[[int], None]


class _Sample(NamedTuple):
    """The totals at one moment: bytes moved, and seconds spent waiting for each side."""

    at: float
    moved: int
    waited: dict[Side, float]


class StallWatch:
    """Measures which side is being waited for, since when, and how many bytes have moved.

    The task or thread that moves the bytes only writes the totals; the task that checks for stalls only reads them.
    """

    def __init__(
        self, *, stall_seconds: float | None = None, line: Line | None = None, pace: PaceCheck | None = None
    ) -> None:
        """Watch one transfer, which counts on `line`; `pace` finds an average rate that is too low."""
        self._line = line
        self._pace = pace
        self._stall_seconds = STALL_SECONDS if stall_seconds is None else stall_seconds
        self._waiting_for = Side.TARGET
        self._since = self._last_moved = monotonic()
        self._waited = {Side.SOURCE: 0.0, Side.TARGET: 0.0}
        self.total = 0
        """Bytes that have moved."""
        # Used by the checking task only: samples back to the beginning of the current window.
        self._samples = deque([_Sample(self._since, 0, dict(self._waited))])

    def wait_for(self, side: Side) -> None:
        """Record that this side is being waited for from now on."""
        now = monotonic()
        self._waited[self._waiting_for] += now - self._since
        self._waiting_for, self._since = side, now

    def moved(self, count: int) -> None:
        """Record that this many more bytes have moved."""
        self._last_moved = monotonic()
        self.total += count

    async def watched(self, chunks: AsyncIterator[bytes], advance: Advance) -> AsyncGenerator[bytes, None]:
        """Yield the chunks, recording the time that each side takes, and report the bytes that were consumed."""
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

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the transfer on the worker's line while the block runs."""
        if self._line is None:
            yield
            return
        self._line.begin(self, monotonic())
        try:
            yield
        finally:
            self._line.end(self, monotonic())

    def stalled_side(self) -> Side | None:
        """Return the side that has stalled, None while bytes move."""
        now = monotonic()
        if now - max(self._last_moved, self._since) > self._stall_seconds:
            return self._waiting_for
        waited = self._waited_until(now)
        self._samples.append(_Sample(now, self.total, waited))
        while now - self._samples[1].at >= self._stall_seconds:
            self._samples.popleft()
        before = self._samples[0]
        if now - before.at < self._stall_seconds or not 0 < self.total - before.moved < MIN_BYTES_PER_WINDOW:
            return None
        return max(waited, key=lambda side: waited[side] - before.waited[side])

    def too_slow(self) -> float | None:
        """Return the lowest rate, in bytes per second, if the source sends less; else None."""
        now = monotonic()
        return self._pace.too_slow(now, self.total, self._waited_until(now)[Side.SOURCE]) if self._pace else None

    def _waited_until(self, now: float) -> dict[Side, float]:
        waited = dict(self._waited)
        waited[self._waiting_for] += now - self._since
        return waited


async def run_until_stalled(
    work: Coroutine[Any, Any, None], watch: StallWatch, subject: str, on_check: Callable[[], None] = lambda: None
) -> None:
    """Run the work to its end, or cancel it and raise `source_stalled` or `target_stalled` about `subject`.

    `on_check` is called at each check while the work runs.
    """
    task = asyncio.ensure_future(work)
    try:
        with watch.counted():
            while not (await asyncio.wait({task}, timeout=CHECK_SECONDS))[0]:
                on_check()
                _check(watch, subject)
            task.result()
    finally:
        await cancel_all([task])


def _check(watch: StallWatch, subject: str) -> None:
    side = watch.stalled_side()
    if side is not None:
        raise LongshoreError(STALLED[side], f"{subject} has stopped moving; it is waiting for the {side}.")
    lowest = watch.too_slow()
    if lowest is not None:
        detail = f"{subject} arrives too slowly: for {PACE_SECONDS:.0f} seconds, below {lowest:.0f} bytes per second."
        raise LongshoreError(Code.SOURCE_STALLED, detail)
