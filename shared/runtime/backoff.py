"""Exponential backoff as pure arithmetic: the time to wait before the next attempt."""

import random
from collections.abc import Callable
from dataclasses import dataclass

# The limit of doublings: beyond any maximum in use, and far from the largest float.
MAX_DOUBLINGS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits that double from `first` up to `maximum` seconds.

    `jitter` spreads each wait by that part of itself in both directions (0.2: between 80 % and 120 %). The caller
    counts the failures in a row; a success resets the count to 0.
    """

    first: float
    maximum: float
    jitter: float = 0.0

    def delay(self, failures: int, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Return the seconds to wait after this many failures in a row, of which there is at least one."""
        doubled = self.first * 2.0 ** min(failures - 1, MAX_DOUBLINGS)
        return min(self.maximum, doubled) * uniform(1 - self.jitter, 1 + self.jitter)
