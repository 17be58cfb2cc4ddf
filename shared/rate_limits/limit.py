"""Arithmetic of one rate limit: how long it holds, and how much concurrency is allowed afterwards. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

# Seconds to wait for a rate limit without a date the first time; doubled each time that the limit is hit again.
# Registries usually count per minute.
FIRST_PAUSE = 30.0
# The smallest fraction of the usual concurrency after repeated limits; it makes the longest pause without a date eight
# minutes.
SMALLEST_SHARE = 1 / 32
# After a limit, the share grows by this fraction per second: by half in five minutes.
GROWTH = 1 / 600
# Seconds; responses to one burst state nearly the same end, so a difference up to this is ignored.
SAME_END = 1.0


class Scope(StrEnum):
    """The requests that a limit holds."""

    REQUESTS = "requests"
    """Every request; running streams continue."""
    MANIFESTS = "manifests"
    """Reading manifests, the only requests that Docker Hub meters; blobs are still transferred."""
    IMPORTS = "imports"
    """New imports; running ones may use the remaining requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitKey:
    """Identifies a limit: a registry by its name in references, an account's fingerprint, and a scope."""

    host: str
    account: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of one account at one registry. `resumes_at` is a moment in seconds, on a clock that the caller chooses.

    `concurrency_share` is the fraction of the usual concurrency that is allowed from that moment on; it grows back with
    time.
    """

    resumes_at: float = -inf
    concurrency_share: float = 1.0

    def remaining(self, now: float) -> float:
        """Return the seconds for which the limit still holds."""
        return max(0.0, self.resumes_at - now)

    def concurrency_share_at(self, now: float) -> float:
        """Return the share at this moment."""
        return min(1.0, self.concurrency_share + max(0.0, now - self.resumes_at) * GROWTH)

    def on_rate_limited(self, now: float, seconds: float | None) -> "Limit":
        """Return the limit after a 429 with a Retry-After of so many seconds, or without one.

        While the limit holds already, the 429 responds to an earlier request and does not tighten the limit.
        """
        if now < self.resumes_at:
            return self.hold_for(now, seconds or 0.0)
        share = max(SMALLEST_SHARE, self.concurrency_share_at(now) / 2)
        pause = FIRST_PAUSE / (2 * share) if seconds is None else seconds
        return Limit(resumes_at=now + pause, concurrency_share=share)

    def hold_for(self, now: float, seconds: float) -> "Limit":
        """Return the limit that holds for at least so many seconds from now."""
        if now + seconds <= self.resumes_at + SAME_END:
            return self
        return Limit(resumes_at=now + seconds, concurrency_share=self.concurrency_share_at(now))

    def delay_by(self, now: float, seconds: float, horizon: float) -> "Limit":
        """Return the limit that holds for so many seconds longer, up to the horizon, when all is granted again."""
        delayed = min(max(now, self.resumes_at) + seconds, now + horizon)
        return Limit(resumes_at=max(self.resumes_at, delayed), concurrency_share=self.concurrency_share_at(now))

    def rebased(self, seconds: float) -> "Limit":
        """Return the same limit on a clock that is so many seconds ahead."""
        return Limit(resumes_at=self.resumes_at + seconds, concurrency_share=self.concurrency_share)

    def stricter(self, other: "Limit") -> "Limit":
        """Return the stricter of two records of one limit."""
        return max(self, other, key=lambda limit: (limit.resumes_at, -limit.concurrency_share))


NO_LIMIT = Limit()
