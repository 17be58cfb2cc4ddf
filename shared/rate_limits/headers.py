"""What a registry says of how much more may be asked of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Below this part of the limit, no more imports are begun than the limit grants anew: what is left is for those under
# way, which would otherwise end half done.
RESERVE = 0.1
# Header names, before `Limit`, `Remaining` and `Reset`: Docker Hub, GitLab; GitHub, Artifactory and many others.
_FAMILIES = ("RateLimit-", "X-RateLimit-")
# `100;w=21600`: a number, and the window that it is counted over in seconds (Docker Hub).
_NUMBER = re.compile(r"\s*(\d{1,12})\s*(?:[;,].*?\bw=(\d{1,9}))?")
# A reset beyond this many seconds is a moment, in seconds since 1970 (GitHub, GitLab), not a span.
_LONGEST_SPAN = 366 * 24 * 3600
# Nobody is left alone for longer than this because of one header. Seconds.
LONGEST_HOLD = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """So many requests of so many are left; `window` and `reset` (from now) are in seconds, where they are told."""

    limit: int
    remaining: int
    window: float | None = None
    reset: float | None = None

    @classmethod
    def read(cls, headers: Mapping[str, str], wall_clock: float) -> "Allowance | None":
        """Read an answer's headers (names in any case); `wall_clock` is in seconds since 1970."""
        for family in _FAMILIES:
            limit, window = _number(headers.get(f"{family}Limit"))
            remaining, more = _number(headers.get(f"{family}Remaining"))
            if limit and remaining is not None:
                reset, _ = _number(headers.get(f"{family}Reset"))
                return cls(
                    limit=limit,
                    remaining=remaining,
                    window=window or more,
                    reset=None if reset is None else float(_span(reset, wall_clock)),
                )
        return None

    @property
    def spent(self) -> bool:
        return self.remaining == 0

    @property
    def spacing(self) -> float:
        """Return how many seconds one request costs while little is left; 0 while there is plenty, or nothing is told.

        With a window it is the time in which the limit grants one anew, else what is left until the reset is spread.
        """
        if self.remaining > self.limit * RESERVE:
            return 0.0
        return self.horizon / (self.limit if self.reset is None else max(1, self.remaining))

    @property
    def horizon(self) -> float:
        """Return after how many seconds all that was counted by now is granted anew; 0 where that is not told."""
        return min((self.window or 0.0) if self.reset is None else self.reset, LONGEST_HOLD)


def _number(text: str | None) -> tuple[int | None, int | None]:
    """Return a header's number and its window, as far as there are any."""
    found = _NUMBER.match(text) if text and text.isascii() else None
    if found is None:
        return None, None
    return int(found[1]), int(found[2]) if found[2] else None


def _span(reset: int, wall_clock: float) -> float:
    return max(0.0, reset - wall_clock) if reset > _LONGEST_SPAN else reset
