"""Immutable tags: Harbor's doublestar patterns, as the stand-in interprets them."""

from typing import Any

import pytest

from deploy.local.servers.harbor.rules import Rule, doublestar
from deploy.local.servers.harbor.server import immutable_rule


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("**", "a/b/c", True),
        ("*", "a", True),
        ("*", "a/b", False),
        ("docker.io/**", "docker.io/library/nginx", True),
        ("docker.io/**", "dockerxio/library/nginx", False),
        ("v1.?", "v1.2", True),
        ("v1.?", "v1.20", False),
        ("{v1,v2}*", "v2.0", True),
        ("{v1,v2}*", "v3.0", False),
        ("release-*", "release-", True),
    ],
)
def test_patterns_match_as_doublestar_does(pattern: str, name: str, *, matches: bool) -> None:
    assert bool(doublestar(pattern).fullmatch(name)) is matches


def test_a_rule_needs_both_to_match() -> None:
    rule = Rule.from_json(immutable_rule("library/*", "v*"))
    assert rule.protects("library/nginx", "v1")
    assert not rule.protects("library/nginx", "latest")
    assert not rule.protects("other/nginx", "v1")


def test_excluding_turns_a_pattern_round() -> None:
    document = immutable_rule("**", "scan-**")
    document["tag_selectors"][0]["decoration"] = "excludes"
    rule = Rule.from_json(document)
    assert rule.protects("x", "v1")
    assert not rule.protects("x", "scan-1")


def test_only_the_first_tag_selector_counts() -> None:
    """In Harbor, a second selector has no effect, either (src/pkg/immutable/match/rule/match.go)."""
    document: dict[str, Any] = immutable_rule("**", "**")
    document["tag_selectors"].append({"kind": "doublestar", "decoration": "excludes", "pattern": "scan-**"})
    assert Rule.from_json(document).protects("x", "scan-1")


def test_a_disabled_rule_protects_nothing() -> None:
    assert not Rule.from_json({**immutable_rule("**", "**"), "disabled": True}).protects("x", "v1")
