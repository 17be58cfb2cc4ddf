"""The lowest average rate of a transfer: it adapts to the blob, to the import's deadline, and to the worker's line.

An honest line may be slow, and many transfers share it; a source that drips is slow on a fast line. Why, with figures:
docs/decisions/0047.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

# The time over which the average is taken: longer than the pauses and dips of a busy line. Seconds.
PACE_SECONDS = 300.0
# Between two samples. Seconds.
SAMPLE_SECONDS = 5.0
# A transfer is hopeless only if even this many times its rate would come too late for the deadline: other workers may
# share its line, and a line that is slow by day is fast by night.
SLACK = 4
# While other transfers show that the line is fast, a source gets this time for one blob. Seconds.
PATIENCE = 3 * 3600.0
# Beside faster transfers, no source has to send more than this, divided by the transfers that share the line. Bytes per
# second: eight workers that require all of it use a quarter of a line of 1 MiB/s.
MOST_REQUIRED = 32 * 1024
# Other transfers show that the line is not the reason if each has this many times the rate: connections that share a
# line fairly differ by less.
MUCH_FASTER = 8
# The time that other transfers must have taken together before they show anything. Seconds.
MIN_OTHERS_SECONDS = 1.0


class Counted(Protocol):
    """A transfer that the line counts."""

    total: int
    """Bytes that it has moved."""


class Line:
    """The transfers of one worker, which share its line. Used by the event loop alone."""

    def __init__(self) -> None:
        self._under_way: set[Counted] = set()
        self._ended_total = 0
        self._transfer_seconds = 0.0
        self._since = 0.0

    def begin(self, transfer: Counted, now: float) -> None:
        """Count the transfer from this moment on."""
        self._advance(now)
        self._under_way.add(transfer)

    def end(self, transfer: Counted, now: float) -> None:
        """Count it no longer; its bytes stay."""
        self._advance(now)
        self._under_way.remove(transfer)
        self._ended_total += transfer.total

    def moved(self) -> int:
        """Return the bytes that all transfers have moved."""
        return self._ended_total + sum(transfer.total for transfer in self._under_way)

    def transfer_seconds(self, now: float) -> float:
        """Return the time that all transfers have taken, in seconds: two at once count twice."""
        self._advance(now)
        return self._transfer_seconds

    def _advance(self, now: float) -> None:
        self._transfer_seconds += len(self._under_way) * (now - self._since)
        self._since = now


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The paces of one import's transfers: its worker's line, and its deadline on the monotonic clock, if known."""

    line: Line = field(default_factory=Line)
    deadline: float | None = None


class _Sample(NamedTuple):
    """The totals at one moment: of the transfer, and of the line."""

    at: float
    moved: int
    waited_for_source: float
    line_moved: int
    transfer_seconds: float


class PaceCheck:
    """Compares one transfer's average rate with the lowest one. Used by the event loop alone."""

    def __init__(self, pace: Pace, *, size: int, left: Callable[[], int]) -> None:
        """Check the transfer of `size` bytes, of which `left` returns those that have not arrived."""
        self._pace = pace
        self._size = size
        self._left = left
        self._samples: deque[_Sample] = deque()

    def too_slow(self, now: float, moved: int, waited_for_source: float) -> float | None:
        """Return the lowest rate, in bytes per second, if the average of the last minutes is below it; else None.

        A transfer that waits for the target is never too slow: the target is the operator's own.
        """
        if self._samples and now - self._samples[-1].at < SAMPLE_SECONDS:
            return None
        line = self._pace.line
        last = _Sample(now, moved, waited_for_source, line.moved(), line.transfer_seconds(now))
        self._samples.append(last)
        while len(self._samples) > 1 and now - self._samples[1].at >= PACE_SECONDS:
            self._samples.popleft()
        first = self._samples[0]
        seconds = now - first.at
        if seconds < PACE_SECONDS or last.waited_for_source - first.waited_for_source < seconds / 2:
            return None
        lowest = self._lowest(first, last)
        return lowest if last.moved - first.moved < lowest * seconds else None

    def _lowest(self, first: _Sample, last: _Sample) -> float:
        seconds, own = last.at - first.at, last.moved - first.moved
        sharing = max((last.transfer_seconds - first.transfer_seconds) / seconds, 1.0)
        others_seconds = last.transfer_seconds - first.transfer_seconds - seconds
        others = (last.line_moved - first.line_moved - own) / others_seconds if _counts(others_seconds) else 0.0
        beside = min(self._size / PATIENCE, MOST_REQUIRED / sharing, others / MUCH_FASTER)
        return max(self._in_time(last.at) / SLACK / sharing, beside)

    def _in_time(self, now: float) -> float:
        """Return the rate at which the rest arrives by the deadline; 0 without one."""
        if self._pace.deadline is None:
            return 0.0
        # In the last minutes, the deadline itself ends what is open.
        return self._left() / max(self._pace.deadline - now, PACE_SECONDS)


def _counts(others_seconds: float) -> bool:
    return others_seconds >= MIN_OTHERS_SECONDS
