"""What becomes of an import whose attempt ended with an error: another try, and when, or the end. Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors.kinds import ErrorKind
from shared.runtime.backoff import Backoff

# Between two attempts, however often an import has failed. Seconds.
MAX_BACKOFF = 300.0
# Spread around the computed delay, so that imports that failed together do not come back together.
JITTER = 0.2
# When a rate limit does not say how long it lasts. Docker Hub's counts over hours, others over a minute. Seconds.
DEFAULT_PARKING = 60.0
# Whatever the other side asks for, look again at least this often: twice within Docker Hub's six hours. Seconds.
MAX_PARKING = 3 * 3_600.0
MIN_DELAY = 1.0
# Imports that wait for the same limit come back within this part of their wait, not all in its last instant; at least
# and at most so many seconds.
SPREAD = 0.1
MIN_SPREAD = 1.0
MAX_SPREAD = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Wait `delay` seconds; `counted` attempts are limited, those that a rate limit ended are not."""

    delay: float
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The import has failed for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often an import is tried (`max_failures`), and how long it waits after its first failure (`base` seconds)."""

    max_failures: int
    base: float

    def exhausted(self, failures: int) -> bool:
        """Tell whether one more failure, after `failures` counted ones, is the last."""
        return failures + 1 >= self.max_failures

    def decide(
        self,
        kind: ErrorKind,
        *,
        failures: int,
        retry_after: float | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> TryAgain | GiveUp:
        """Judge an attempt that ended with this error, after `failures` counted ones."""
        if not kind.retryable:
            return GiveUp()
        if kind.parks:
            wait = _between(MIN_DELAY, retry_after or DEFAULT_PARKING, MAX_PARKING)
            return TryAgain(delay=wait + uniform(0, _between(MIN_SPREAD, wait * SPREAD, MAX_SPREAD)), counted=False)
        if self.exhausted(failures):
            return GiveUp()
        backoff = Backoff(first=self.base, maximum=MAX_BACKOFF, jitter=JITTER).delay(failures + 1, uniform)
        return TryAgain(delay=_between(0, max(backoff, retry_after or 0), MAX_PARKING), counted=True)


def _between(low: float, value: float, high: float) -> float:
    return max(low, min(value, high))
