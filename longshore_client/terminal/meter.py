"""How fast something grows."""

from dataclasses import dataclass

# Of the newest measure in the figure shown; the rest is the past, so that it does not jump. Between 0 and 1.
WEIGHT = 0.3
# Looks closer together than this measure chance. Seconds.
SHORTEST = 0.2


@dataclass(slots=True)
class Meter:
    """Bytes a second, smoothed; 0 until there were two looks."""

    rate: float = 0.0
    _time: float | None = None
    _count: int = 0

    def look(self, count: int, now: float) -> None:
        """Take in how many bytes there are at a moment, in seconds; a fall, as after a new attempt, starts over."""
        if self._time is None or count < self._count:
            self.rate, self._time, self._count = 0.0, now, count
            return
        passed = now - self._time
        if passed < SHORTEST:
            return
        newest = (count - self._count) / passed
        self.rate = newest if self.rate == 0 else WEIGHT * newest + (1 - WEIGHT) * self.rate
        self._time, self._count = now, count

    def remaining(self, count: int) -> float | None:
        """Return the seconds that so many more bytes take; None where that cannot be said."""
        return count / self.rate if self.rate > 0 else None
