"""The arithmetic of one limit, on a fixed clock."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rate_limits.limit import FIRST_PAUSE, GROWTH, NO_LIMIT, SAME_END, SMALLEST_SHARE, Limit

NOW = 5_000.0
SPANS = st.floats(0, 100_000)


def test_without_a_limit_nothing_is_held_back() -> None:
    assert (NO_LIMIT.remaining(NOW), NO_LIMIT.concurrency_share_at(NOW)) == (0, 1)


def test_a_limit_with_a_date_holds_until_then_and_halves_what_follows() -> None:
    """The registry states the end; the former concurrency would be too much afterwards, too."""
    limit = NO_LIMIT.on_rate_limited(NOW, 120.0)
    assert limit.remaining(NOW + 100) == 20
    assert limit.remaining(NOW + 120) == 0
    assert limit.concurrency_share_at(NOW + 120) == 0.5


def test_limits_without_a_date_are_waited_for_twice_as_long_each_time() -> None:
    """Up to a bound; after a long time without a limit, the pause starts small again."""
    limit, now, pauses = NO_LIMIT, NOW, []
    for _ in range(8):
        limit = limit.on_rate_limited(now, None)
        pauses.append(limit.remaining(now))
        now = limit.resumes_at
    assert pauses[0] == FIRST_PAUSE
    assert pauses[:5] == [FIRST_PAUSE * 2**n for n in range(5)]
    assert set(pauses[5:]) == {FIRST_PAUSE / 2 / SMALLEST_SHARE}
    assert (
        limit.on_rate_limited(limit.resumes_at + 1 / GROWTH, None).remaining(limit.resumes_at + 1 / GROWTH)
        == FIRST_PAUSE
    )


def test_answers_to_one_burst_are_one_limit() -> None:
    """A hundred requests were running when the first was rejected."""
    limit = NO_LIMIT.on_rate_limited(NOW, 60.0)
    for late in range(10):
        limit = limit.on_rate_limited(NOW + late / 100, 60.0)
    assert limit == NO_LIMIT.on_rate_limited(NOW, 60.0)
    assert limit.on_rate_limited(NOW, None) == limit


def test_a_later_date_is_taken_over() -> None:
    limit = NO_LIMIT.on_rate_limited(NOW, 10.0).on_rate_limited(NOW + 1, 100.0)
    assert limit.remaining(NOW + 1) == 100
    assert limit.concurrency_share == 0.5


def test_the_share_grows_back_slowly_and_not_while_the_limit_holds() -> None:
    limit = NO_LIMIT.on_rate_limited(NOW, 1_000.0)
    assert limit.concurrency_share_at(NOW + 1_000) == 0.5
    assert limit.concurrency_share_at(NOW + 1_060) == pytest.approx(0.6)
    assert limit.concurrency_share_at(NOW + 1_300) == 1


@given(st.lists(st.tuples(SPANS, st.none() | SPANS), min_size=1, max_size=20))
def test_whatever_comes_the_share_stays_within_its_bounds(strikes: list[tuple[float, float | None]]) -> None:
    """A stated date is never undercut by more than SAME_END."""
    limit, now = NO_LIMIT, NOW
    for later, seconds in strikes:
        now += later
        limit = limit.on_rate_limited(now, seconds)
        assert limit.remaining(now) >= (seconds or 0) - SAME_END - 1e-6
        assert SMALLEST_SHARE <= limit.concurrency_share <= limit.concurrency_share_at(now) <= 1


@given(st.lists(SPANS, min_size=2, max_size=20))
def test_pushes_add_up(pushes: list[float]) -> None:
    """Each counted request adds its own delay, regardless of the process that made it."""
    limit = NO_LIMIT
    for seconds in pushes:
        limit = limit.delay_by(NOW, seconds, inf)
    assert limit.remaining(NOW) == pytest.approx(sum(pushes))


@given(st.lists(SPANS, min_size=1, max_size=20), SPANS)
def test_pushes_end_where_all_is_granted_anew(pushes: list[float], horizon: float) -> None:
    """Many requests within a second's window are no reason to wait for a minute; a longer limit stays."""
    limit = held = NO_LIMIT.on_rate_limited(NOW, 30.0)
    for seconds in pushes:
        limit = limit.delay_by(NOW, seconds, horizon)
    assert held.remaining(NOW) <= limit.remaining(NOW) <= max(30.0, horizon) + 1e-6


def test_of_two_accounts_of_a_limit_the_stricter_one_holds() -> None:
    early, late = Limit(resumes_at=NOW, concurrency_share=0.1), Limit(resumes_at=NOW + 5, concurrency_share=0.5)
    assert early.stricter(late) == late.stricter(early) == late
    assert late.stricter(Limit(resumes_at=NOW + 5, concurrency_share=0.25)).concurrency_share == 0.25


def test_a_limit_moves_from_clock_to_clock() -> None:
    """The store counts in seconds from now."""
    assert Limit(resumes_at=30.0, concurrency_share=0.5).rebased(NOW).remaining(NOW) == 30


def test_the_share_halves_at_each_limit() -> None:
    limit, now, shares = NO_LIMIT, NOW, []
    for _ in range(5):
        limit = limit.on_rate_limited(now, 1.0)
        now = limit.resumes_at
        shares.append(limit.concurrency_share_at(now))
    assert all(after == before / 2 for before, after in pairwise(shares))
