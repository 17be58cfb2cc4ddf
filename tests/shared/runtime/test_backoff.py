"""The arithmetic of waits between tries."""

import pytest

from shared.runtime.backoff import Backoff


@pytest.mark.parametrize(("failures", "delay"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 5.0), (6, 5.0)])
def test_waits_double_up_to_the_maximum(failures: int, delay: float) -> None:
    assert Backoff(first=0.5, maximum=5.0).delay(failures) == delay


def test_a_failure_that_lasts_for_days_still_has_a_delay() -> None:
    """The power of two must not leave the range of a float."""
    assert Backoff(first=0.5, maximum=15.0).delay(1_000_000) == 15.0


def test_jitter_spreads_each_wait_around_its_length() -> None:
    """Clients that failed together do not return together."""
    delays = [Backoff(first=10.0, maximum=10.0, jitter=0.2).delay(1) for _ in range(100)]
    assert all(8.0 <= delay <= 12.0 for delay in delays)
    assert len(set(delays)) > 90
