"""Platforms in the form that users write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.oci.platform import Platform
from tests.shared.oci.strategies import platforms


@given(platforms)
def test_a_platform_comes_back_from_its_text(platform: Platform) -> None:
    """The displayed form parses to the same platform."""
    assert Platform.parse(str(platform)) == platform


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("Linux/AMD64", Platform("linux", "amd64")),
        ("linux/x86_64", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
    ],
)
def test_other_spellings_are_understood(text: str, expected: Platform) -> None:
    """Those of uname and of Docker."""
    assert Platform.parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "a/b/c/d", "linux/amd 64", "linux/amd64\n", "linux/ä", "a" * 40 + "/b"]
)
def test_anything_else_is_no_platform(text: str) -> None:
    """The error quotes the text."""
    with pytest.raises(ValueError, match="not a platform"):
        Platform.parse(text)


@given(st.text(max_size=50))
def test_any_text_is_a_platform_or_a_value_error(text: str) -> None:
    """Untrusted text raises no other exception."""
    try:
        platform = Platform.parse(text)
    except ValueError:
        return
    assert Platform.parse(str(platform)) == platform


@given(platforms, platforms)
def test_a_wish_without_a_variant_takes_each_of_them(wish: Platform, have: Platform) -> None:
    """A request with a variant selects only that variant."""
    same = (wish.os, wish.architecture) == (have.os, have.architecture)
    assert wish.covers(have) is (same and (not wish.variant or wish.variant == have.variant))
    assert have.covers(have)
