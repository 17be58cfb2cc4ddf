"""The decision after an attempt that ended with an error."""

import pytest

from api_service.imports.retry_policy import (
    DEFAULT_PARKING,
    JITTER,
    MAX_BACKOFF,
    MAX_PARKING,
    MAX_SPREAD,
    MIN_SPREAD,
    SPREAD,
    GiveUp,
    RetryPolicy,
    TryAgain,
)
from shared.errors.codes import Code
from shared.errors.kinds import ERROR_KINDS, ErrorKind

POLICY = RetryPolicy(max_failures=5, base=4)


def middle(low: float, high: float) -> float:
    """Return the middle of the range: no jitter."""
    return (low + high) / 2


def decide(code: Code, failures: int = 0, retry_after: float | None = None) -> TryAgain | GiveUp:
    return POLICY.decide(ERROR_KINDS[code], failures=failures, retry_after=retry_after, uniform=middle)


@pytest.mark.parametrize("kind", [kind for kind in ERROR_KINDS.values() if not kind.retryable])
def test_permanent_errors_end_the_import_at_once(kind: ErrorKind) -> None:
    """Another try cannot change a 401, a 404 or an unsupported manifest."""
    assert POLICY.decide(kind, failures=0) == GiveUp()


@pytest.mark.parametrize(
    ("failures", "delay"), [(0, 4), (1, 8), (2, 16), (3, 32)], ids=["first", "second", "third", "fourth"]
)
def test_transient_errors_wait_twice_as_long_each_time(failures: int, delay: float) -> None:
    assert decide(Code.SOURCE_UNAVAILABLE, failures) == TryAgain(delay=delay, counted=True)


def test_the_last_allowed_failure_ends_the_import() -> None:
    """Five failures are allowed; four were counted, and this is the fifth."""
    assert decide(Code.SOURCE_UNAVAILABLE, failures=4) == GiveUp()


def test_a_wait_has_an_upper_bound() -> None:
    patient = RetryPolicy(max_failures=100, base=4)
    kind = ERROR_KINDS[Code.TARGET_UNAVAILABLE]
    assert patient.decide(kind, failures=90, uniform=middle) == TryAgain(delay=MAX_BACKOFF, counted=True)


def test_waits_are_spread() -> None:
    """Imports that failed together are not retried together."""
    kind = ERROR_KINDS[Code.TARGET_UNAVAILABLE]
    decisions = [POLICY.decide(kind, failures=0) for _ in range(100)]
    delays = {decision.delay for decision in decisions if isinstance(decision, TryAgain)}
    assert len(delays) > 90
    assert all(4 * (1 - JITTER) <= delay <= 4 * (1 + JITTER) for delay in delays)


def test_the_other_side_may_ask_for_a_longer_wait() -> None:
    assert decide(Code.SOURCE_UNAVAILABLE, retry_after=100) == TryAgain(delay=100, counted=True)
    assert decide(Code.SOURCE_UNAVAILABLE, retry_after=1) == TryAgain(delay=4, counted=True)


@pytest.mark.parametrize("code", [Code.SOURCE_RATE_LIMITED, Code.TARGET_RATE_LIMITED])
@pytest.mark.parametrize("failures", [0, 4, 1000])
def test_a_rate_limit_never_counts_as_a_failure(code: Code, failures: int) -> None:
    """The import waits and is retried, however often it happens."""
    assert decide(code, failures, retry_after=90) == TryAgain(delay=90 + 4.5, counted=False)


@pytest.mark.parametrize(
    ("asked", "delay"),
    [(None, DEFAULT_PARKING + 3), (1e9, MAX_PARKING + MAX_SPREAD / 2), (0.01, 1 + MIN_SPREAD / 2)],
    ids=["nothing", "ages", "no time"],
)
def test_a_rate_limit_is_waited_for_within_bounds(asked: float | None, delay: float) -> None:
    assert decide(Code.SOURCE_RATE_LIMITED, retry_after=asked) == TryAgain(delay=delay, counted=False)


def test_imports_that_wait_for_one_limit_come_back_one_by_one() -> None:
    """No import is retried before the limit ends, and not all at once, which would be another burst."""
    kind = ERROR_KINDS[Code.SOURCE_RATE_LIMITED]
    decisions = [POLICY.decide(kind, failures=0, retry_after=100) for _ in range(200)]
    delays = [decision.delay for decision in decisions if isinstance(decision, TryAgain)]
    assert 100 <= min(delays) < 101
    assert 109 < max(delays) <= 100 * (1 + SPREAD)
