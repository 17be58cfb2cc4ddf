"""How long a registry wants to be left alone, and how much may be asked of it at a time afterwards. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

# A rate limit that comes without a date is waited for this long the first time, and twice as long each time that it
# is met anew. Seconds; registries count over a minute as a rule.
FIRST_PAUSE = 30.0
# What is left of the usual number of things at a time after one limit upon the other; so the longest pause without a
# date is eight minutes.
SMALLEST_SHARE = 1 / 32
# After a limit, the share grows back by this much in a second: half of everything in five minutes.
GROWTH = 1 / 600
# Two answers to one burst name nearly the same end: a second more is no news. Seconds.
SAME_END = 1.0


class Scope(StrEnum):
    """What a limit holds back."""

    REQUESTS = "requests"
    """Every request; what is being streamed goes on."""
    MANIFESTS = "manifests"
    """Reading manifests, the one thing that Docker Hub meters; blobs come all the same."""
    IMPORTS = "imports"
    """New imports; those under way may use what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitKey:
    """Identifies a limit: a registry by its name in references, an account's fingerprint, and a scope."""

    host: str
    account: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit of one account at one registry. `resumes_at` is a moment on any one clock, in seconds.

    `share` says how much of what is done at a time otherwise may be done from that moment on; it grows back with time.
    """

    resumes_at: float = -inf
    share: float = 1.0

    def wait(self, now: float) -> float:
        """Return for how many seconds it holds on."""
        return max(0.0, self.resumes_at - now)

    def share_at(self, now: float) -> float:
        """Return the share by now."""
        return min(1.0, self.share + max(0.0, now - self.resumes_at) * GROWTH)

    def struck(self, now: float, seconds: float | None) -> "Limit":
        """Take in an answer that says "too many", for so many seconds if it tells.

        While the limit is known already, that is an answer to something asked before.
        """
        if now < self.resumes_at:
            return self.held(now, seconds or 0.0)
        share = max(SMALLEST_SHARE, self.share_at(now) / 2)
        pause = FIRST_PAUSE / (2 * share) if seconds is None else seconds
        return Limit(resumes_at=now + pause, share=share)

    def held(self, now: float, seconds: float) -> "Limit":
        """Hold for at least so many seconds."""
        if now + seconds <= self.resumes_at + SAME_END:
            return self
        return Limit(resumes_at=now + seconds, share=self.share_at(now))

    def pushed(self, now: float, seconds: float, horizon: float) -> "Limit":
        """Hold for so many seconds longer, but not beyond the horizon, from which on all is granted anew."""
        pushed = min(max(now, self.resumes_at) + seconds, now + horizon)
        return Limit(resumes_at=max(self.resumes_at, pushed), share=self.share_at(now))

    def shifted(self, seconds: float) -> "Limit":
        """Return the same on a clock that shows so much more."""
        return Limit(resumes_at=self.resumes_at + seconds, share=self.share)

    def joined(self, other: "Limit") -> "Limit":
        """Return the stricter of two accounts of one limit."""
        return max(self, other, key=lambda limit: (limit.resumes_at, -limit.share))


NO_LIMIT = Limit()
