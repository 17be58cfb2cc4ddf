"""The rate limit headers of registries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from shared.rate_limits.headers import LONGEST_HOLD, RESERVE, Allowance

WALL_CLOCK = 1_800_000_000.0


def read(**headers: str) -> Allowance | None:
    return Allowance.read(CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}), WALL_CLOCK)


def test_docker_hubs_headers_are_read() -> None:
    """In the documented format, with the window in seconds."""
    found = read(ratelimit_limit="100;w=21600", ratelimit_remaining="76;w=21600")
    assert found == Allowance(limit=100, remaining=76, window=21_600)


def test_githubs_headers_are_read() -> None:
    """The header has the time of the reset."""
    found = read(X_RateLimit_Limit="5000", X_RateLimit_Remaining="4987", X_RateLimit_Reset=str(int(WALL_CLOCK) + 90))
    assert found == Allowance(limit=5000, remaining=4987, reset=90)


def test_gitlabs_headers_are_read() -> None:
    found = read(RateLimit_Limit="60", RateLimit_Remaining="0", RateLimit_Reset=str(int(WALL_CLOCK) + 42))
    assert found
    assert (found.spent, found.spacing) == (True, 42)


def test_a_reset_may_be_a_span() -> None:
    """This is the form of the IETF's draft."""
    found = read(RateLimit_Limit="100", RateLimit_Remaining="0", RateLimit_Reset="50")
    assert found
    assert found.spacing == 50


def test_a_reset_in_the_past_holds_nothing_back() -> None:
    found = read(RateLimit_Limit="100", RateLimit_Remaining="0", RateLimit_Reset=str(int(WALL_CLOCK) - 50))
    assert found
    assert found.spacing == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"ratelimit_limit": "100;w=21600"},
        {"ratelimit_remaining": "5"},
        {"ratelimit_limit": "many", "ratelimit_remaining": "5"},
        {"ratelimit_limit": "0", "ratelimit_remaining": "0"},
        {"ratelimit_limit": "100", "ratelimit_remaining": "-3"},
        {"ratelimit_limit": "\u0661\u0660", "ratelimit_remaining": "\u0663"},
    ],
)
def test_what_says_nothing_usable_is_no_allowance(headers: dict[str, str]) -> None:
    assert read(**headers) is None


@given(st.text(), st.text(), st.text())
def test_no_header_breaks_the_reader(limit: str, remaining: str, reset: str) -> None:
    """Any header yields a bounded time, or none."""
    found = read(ratelimit_limit=limit, ratelimit_remaining=remaining, ratelimit_reset=reset)
    assert found is None or 0 <= found.spacing <= LONGEST_HOLD


def test_a_request_costs_nothing_while_there_is_plenty() -> None:
    """Slowing down early would cost time without a benefit."""
    reserve = int(100 * RESERVE)
    assert Allowance(limit=100, remaining=reserve + 1, window=21_600).spacing == 0
    assert Allowance(limit=100, remaining=reserve, window=21_600).spacing == 216


def test_what_is_left_is_spread_until_the_reset() -> None:
    assert Allowance(limit=5000, remaining=100, reset=600).spacing == 6


def test_everything_is_granted_anew_by_the_reset_or_after_a_window() -> None:
    """No account waits longer."""
    assert Allowance(limit=100, remaining=1, reset=50, window=21_600).horizon == 50
    assert Allowance(limit=100, remaining=1, window=21_600).horizon == 21_600


def test_without_a_window_nothing_can_be_said() -> None:
    """The registry will send a 429."""
    assert Allowance(limit=100, remaining=0).spacing == 0
