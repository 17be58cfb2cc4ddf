"""Patterns of sources and targets, against a matcher that is too simple to be wrong."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.rules.patterns import MAX_PATTERN_LENGTH, MAX_STARS, check_pattern, check_source, check_target, matches
from api_service.rules.rule import Placeholder

# Far above the time for one comparison, below what a request would notice. Seconds.
FAST = 0.01

PARTS = st.text("ab.-", min_size=1, max_size=4)
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
STARRED = st.text("ab.-*", min_size=1, max_size=5).filter(lambda part: "**" not in part)
PATTERNS = st.lists(st.one_of(STARRED, st.just("**")), min_size=1, max_size=5).map("/".join)


def naive(pattern: list[str], name: list[str]) -> bool:
    """Try every number of parts for each `**`."""
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(naive(pattern[1:], name[taken:]) for taken in range(len(name) + 1))
    return bool(name) and naive_part(pattern[0], name[0]) and naive(pattern[1:], name[1:])


def naive_part(pattern: str, part: str) -> bool:
    """Try every number of characters for each `*`."""
    if not pattern:
        return not part
    if pattern[0] == "*":
        return any(naive_part(pattern[1:], part[taken:]) for taken in range(len(part) + 1))
    return bool(part) and pattern[0] == part[0] and naive_part(pattern[1:], part[1:])


@given(pattern=PATTERNS, name=NAMES)
def test_a_name_fits_as_the_naive_matcher_says(pattern: str, name: str) -> None:
    assert matches(pattern, name) == naive(pattern.split("/"), name.split("/"))


@given(name=NAMES)
def test_a_name_fits_itself_and_every_name_fits_two_stars(name: str) -> None:
    assert matches(name, name)
    assert matches("**", name)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("docker.io/**", "docker.io/library/nginx", True),
        ("docker.io/**", "docker.io.evil.example/library/nginx", False),
        ("docker.io/**", "evil.example/docker.io/library/nginx", False),
        ("docker.io/*", "docker.io/library/nginx", False),
        ("docker.io/*/nginx", "docker.io/library/nginx", True),
        ("*.example.com/app", "quay.example.com/app", True),
        ("*.example.com/app", "example.com/app", False),
        ("**/nginx", "docker.io/library/nginx", True),
        ("a/**/b/**/c", "a/b/c", True),
        ("a/**/b/**/c", "a/x/b/y/b/z/c", True),
        ("ab*ba", "aba", False),
        ("[::1]:5000/**", "[::1]:5000/app", True),
        ("team-a/**", "team-a", True),
        ("team-a/**", "team-ab/app", False),
    ],
)
def test_stars_end_at_slashes_and_at_nothing_else(pattern: str, name: str, *, fits: bool) -> None:
    assert matches(pattern, name) is fits


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * MAX_STARS + "b", "a" * MAX_PATTERN_LENGTH),
        ("/".join(["**", "a*a*a"] * 5 + ["b"]), "/".join(["aaaa"] * 50)),
        ("/".join(["**/a"] * (MAX_STARS // 2) + ["b"]), "/".join("a" * 127)),
        ("*" + "a" * 100 + "*" + "a" * 100 + "*b", "a" * MAX_PATTERN_LENGTH),
    ],
)
def test_a_comparison_is_fast_whatever_the_pattern(pattern: str, name: str) -> None:
    began = time.process_time()
    assert not matches(pattern, name)
    assert time.process_time() - began < FAST


@given(st.text("a*/", min_size=1, max_size=MAX_PATTERN_LENGTH), st.text("a/", min_size=1, max_size=MAX_PATTERN_LENGTH))
def test_a_comparison_is_fast_for_texts_that_are_no_patterns(pattern: str, name: str) -> None:
    began = time.process_time()
    matches(pattern, name)
    assert time.process_time() - began < FAST


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "1 to 255 characters"),
        ("a" * 256, "1 to 255 characters"),
        ("*/" * 17, "at most 16 stars"),
        ("quay.io//app", "''"),
        ("quay.io/team?/**", "'team?'"),
        ("Quay.io/**", "'Quay.io'"),
        ("quay.io/a**", "between slashes"),
        ("quay.io/[ab]/**", "brackets"),
        ("quay.io/{user}/**", "no placeholder"),
        ("quay.io", "'quay.io/**'"),
        ("quay.io/team/app:1.0", "a tag"),
        ("index.docker.io/**", "'docker.io'"),
        ("quay.io:99999/**", "99999"),
    ],
)
def test_a_source_that_no_image_can_fit_is_refused_with_the_part_at_fault(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        check_source(pattern)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["**", "*/**", "**/nginx", "quay.io/team-*/**", "[::1]:5000/app", "docker-daemon/**"]
)
def test_patterns_of_sources(pattern: str) -> None:
    check_source(pattern)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("team-a", "'team-a/**'"),
        ("team-a/app:1.0", "tag"),
        ("{users}/**", "{users}"),
        ("{user}*/**", "'{user}*'"),
        ("*{group}/**", "'*{group}'"),
        ("{user}{group}/**", "'{user}{group}'"),
        ("x-{source}", "between slashes"),
        ("{defaultProject}-x/**", "between slashes"),
    ],
)
def test_a_target_that_would_give_more_than_it_says_is_refused(pattern: str, words: str) -> None:
    """`{user}*` would give the targets of `anna` to `ann`."""
    with pytest.raises(ValueError, match=r".") as refused:
        check_target(pattern, (Placeholder.USER, Placeholder.GROUP), (Placeholder.DEFAULT_PROJECT, Placeholder.SOURCE))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "pattern", ["**", "team-{group}/**", "{user}/**", "home/{user}-dev/*", "{defaultProject}/{source}"]
)
def test_patterns_of_targets(pattern: str) -> None:
    check_target(pattern, (Placeholder.USER, Placeholder.GROUP), (Placeholder.DEFAULT_PROJECT, Placeholder.SOURCE))


def test_a_pattern_is_refused_before_it_can_be_slow() -> None:
    with pytest.raises(ValueError, match="stars"):
        check_pattern("/".join(["**"] * (MAX_STARS // 2 + 1)))
