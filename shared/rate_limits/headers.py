"""Reads the rate limit headers of a registry's response."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Below this fraction of the limit, imports start only as fast as the limit grants new requests. The rest is reserved
# for running imports, which would otherwise stop half done.
RESERVE = 0.1
# Header names, before `Limit`, `Remaining` and `Reset`: Docker Hub, GitLab; GitHub, Artifactory and many others.
_FAMILIES = ("RateLimit-", "X-RateLimit-")
# `100;w=21600`: a number, and the window that it is counted over in seconds (Docker Hub).
_NUMBER = re.compile(r"\s*(\d{1,12})\s*(?:[;,].*?\bw=(\d{1,9}))?")
# Characters of one header that are read; a usual one has twenty.
MAX_HEADER_LENGTH = 256
# Seconds; a larger reset is a moment in seconds since 1970 (GitHub, GitLab), not a duration.
_LONGEST_DURATION = 366 * 24 * 3600
# Seconds; one header holds an account no longer than this.
LONGEST_HOLD = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """`remaining` requests of `limit` are left; `window` and `reset` (from now) are in seconds, None if not stated."""

    limit: int
    remaining: int
    window: float | None = None
    reset: float | None = None

    @classmethod
    def read(cls, headers: Mapping[str, str], wall_clock: float) -> "Allowance | None":
        """Read a response's headers (names in any case); `wall_clock` is in seconds since 1970."""
        for family in _FAMILIES:
            limit, window = _number(headers.get(f"{family}Limit"))
            remaining, own_window = _number(headers.get(f"{family}Remaining"))
            if limit and remaining is not None:
                reset, _ = _number(headers.get(f"{family}Reset"))
                return cls(
                    limit=limit,
                    remaining=remaining,
                    window=window or own_window,
                    reset=None if reset is None else float(_duration(reset, wall_clock)),
                )
        return None

    @property
    def spent(self) -> bool:
        return self.remaining == 0

    @property
    def spacing(self) -> float:
        """Return the seconds between two requests while little is left; 0 otherwise, or without a window or reset.

        With a window, it is the time in which the limit grants one new request; with a reset, the remaining requests
        are spread over the time until then.
        """
        if self.remaining > self.limit * RESERVE:
            return 0.0
        return self.horizon / (self.limit if self.reset is None else max(1, self.remaining))

    @property
    def horizon(self) -> float:
        """Return the seconds until all requests counted so far are granted again; 0 if the headers do not say it."""
        return min((self.window or 0.0) if self.reset is None else self.reset, LONGEST_HOLD)


def _number(text: str | None) -> tuple[int | None, int | None]:
    """Return a header's number and its window; None for a missing part."""
    found = _NUMBER.match(text[:MAX_HEADER_LENGTH]) if text and text.isascii() else None
    if found is None:
        return None, None
    return int(found[1]), int(found[2]) if found[2] else None


def _duration(reset: int, wall_clock: float) -> float:
    return max(0.0, reset - wall_clock) if reset > _LONGEST_DURATION else reset
