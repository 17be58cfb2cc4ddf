"""Decides whether and when an import whose attempt ended with an error is tried again. Pure."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from shared.errors.kinds import ErrorKind
from shared.runtime.backoff import Backoff

# The longest wait between two attempts, however often an import has failed. Seconds.
MAX_BACKOFF = 300.0
# Relative spread around the computed delay, so that imports that failed together are not retried together.
JITTER = 0.2
# The wait if a rate limit does not say how long it lasts. Docker Hub counts over hours, others over minutes. Seconds.
DEFAULT_PARKING = 60.0
# The longest wait that a registry can ask for: two tries within Docker Hub's six hours. Seconds.
MAX_PARKING = 3 * 3_600.0
MIN_DELAY = 1.0
# Imports that wait for the same rate limit are retried spread over this part of their wait, not all at its end; the
# spread has a minimum and a maximum, in seconds.
SPREAD = 0.1
MIN_SPREAD = 1.0
MAX_SPREAD = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """Try again in `delay` seconds. `counted`: the attempt counts against the limit, unless a rate limit ended it."""

    delay: float
    counted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """The import has failed for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """An import fails after `max_failures` counted attempts. It waits `base` seconds after the first, then doubles."""

    max_failures: int
    base: float

    def exhausted(self, failures: int) -> bool:
        """Return whether one more failure, after `failures` counted ones, is the last."""
        return failures + 1 >= self.max_failures

    def decide(
        self,
        kind: ErrorKind,
        *,
        failures: int,
        retry_after: float | None = None,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> TryAgain | GiveUp:
        """Decide after an attempt that ended with this error, after `failures` counted ones before it."""
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
