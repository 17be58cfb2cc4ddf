"""Measures the processor time of a pattern, so that a busy machine does not change the result."""

import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# The limit for one text of 32 KiB. Seconds.
LIMIT = 0.010
# Tries; the best one counts, because other processes on the same core only make it slower.
TRIES = 10
# A pattern that takes longer is not waited for. Seconds of processor time.
GIVEN_UP_AFTER = 0.3
# A linear work of the same kind, and its time on a quiet machine with a slow processor. While it takes longer, a
# pattern may take longer by the same factor. Seconds.
REFERENCE = re.compile("a")
REFERENCE_TEXT = "a" * 32 * 1024
REFERENCE_TIME = 0.003


class _TooLongError(Exception):
    """The time is over."""


def slowest(pattern: re.Pattern[Any], methods: frozenset[str], texts: list[str]) -> tuple[float, str]:
    """Return the longest time of a method on a text, and that text's ends; the first above the limit is enough."""
    longest = (0.0, "")
    for text in texts:
        for method in sorted(methods):
            took = seconds(_call(pattern, method, _readable(pattern, text)))
            longest = max(longest, (took, f"{method} of {text[:20]!r}…{text[-5:]!r}"))
            if took > LIMIT:
                return longest
    return longest


def seconds(work: Callable[[], object]) -> float:
    """Return the best time of several tries, as on a quiet machine; infinity if the work is given up."""
    best = float("inf")
    for _ in range(TRIES):
        took = _timed(work)
        if took > LIMIT:
            took /= max(1.0, _timed(lambda: REFERENCE.findall(REFERENCE_TEXT)) / REFERENCE_TIME)
        best = min(best, took)
        if best < LIMIT or took == float("inf"):
            break
    return best


def _timed(work: Callable[[], object]) -> float:
    began = time.thread_time()
    try:
        with _given_up():
            work()
    except _TooLongError:
        return float("inf")
    return time.thread_time() - began


def _readable(pattern: re.Pattern[Any], text: str) -> Any:
    return text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text


def _call(pattern: re.Pattern[Any], method: str, text: Any) -> Callable[[], object]:
    called = getattr(pattern, method)
    if method in ("sub", "subn"):
        return lambda: called(text[:0], text)
    return lambda: deque(called(text), maxlen=0) if method == "finditer" else called(text)


@contextmanager
def _given_up() -> Iterator[None]:
    """Raise an error in the block when it has computed for too long; `re` looks for signals while it matches."""

    def stop(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, GIVEN_UP_AFTER)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
