"""WWW-Authenticate, well-formed and malformed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.registry.challenge import MAX_CHALLENGE_LENGTH, Challenge, parse_challenges
from shared.registry.scopes import Scopes

PRINTABLE = st.characters(min_codepoint=32, max_codepoint=126)
BEARER = {"realm": "https://auth.example/token", "service": "registry.example"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (['Basic realm="x"'], [("basic", {"realm": "x"})]),
        (["Basic"], [("basic", {})]),
        (['BASIC Realm="x"'], [("basic", {"realm": "x"})]),
        (
            ['Bearer realm="https://auth.example/token",service="registry.example"'],
            [("bearer", BEARER)],
        ),
        (
            ['Bearer  realm = "https://auth.example/token" , service=registry.example'],
            [("bearer", BEARER)],
        ),
        (
            ['Bearer realm="a,b=c \\"d\\" \\\\",scope="repository:x:pull,push"'],
            [("bearer", {"realm": 'a,b=c "d" \\', "scope": "repository:x:pull,push"})],
        ),
        (['Bearer realm="x", Basic realm="y"'], [("bearer", {"realm": "x"}), ("basic", {"realm": "y"})]),
        (['Basic realm="y"', 'Bearer realm="x"'], [("basic", {"realm": "y"}), ("bearer", {"realm": "x"})]),
        (['Negotiate, Basic realm="y"'], [("negotiate", {}), ("basic", {"realm": "y"})]),
        (['NTLM YWJjZA==, Basic realm="y"'], [("ntlm", {}), ("basic", {"realm": "y"})]),
        (['Bearer realm="x",realm="evil"'], [("bearer", {"realm": "x"})]),
        (['realm="x"'], []),
        ([""], []),
        ([], []),
        ([",,, ,"], []),
        (['Bearer realm="unclosed'], [("bearer", {})]),
    ],
)
def test_challenges_are_read(headers: list[str], expected: list[tuple[str, dict[str, str]]]) -> None:
    """RFC 9110, section 11.6.1."""
    found = [
        challenge
        for challenge in parse_challenges(headers)
        if challenge.scheme in ("basic", "bearer", "negotiate", "ntlm")
    ]
    assert found == [Challenge(scheme, parameters) for scheme, parameters in expected]


@given(st.lists(st.text(), max_size=3))
def test_whatever_a_registry_writes_is_read_as_something(headers: list[str]) -> None:
    """No header may raise an exception."""
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,10}", fullmatch=True), st.text(st.characters(min_codepoint=32, max_codepoint=126))
    )
)
def test_quoted_parameters_come_back_as_written(parameters: dict[str, str]) -> None:
    """Quoted text is preserved, including commas, equals signs and quotes."""
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in parameters.items()}
    header = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in escaped.items())
    assert parse_challenges([header]) == (Challenge("bearer", parameters),)


@pytest.mark.parametrize("piece", ["a ", 'a="', 'a="b",', "\\", '"', ",", "= ", "Bearer a=b c=d "])
def test_a_long_header_takes_no_long_time(piece: str) -> None:
    """No header may cost more than its length, and none more than a bound."""
    started = time.perf_counter()
    parse_challenges([piece * MAX_CHALLENGE_LENGTH])
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("repository:a:pull", ["repository:a:pull"]),
        ("repository:a:push,pull", ["repository:a:pull,push"]),
        ("repository:b:pull repository:a:pull", ["repository:a:pull", "repository:b:pull"]),
        ("repository:a:pull repository:a:push", ["repository:a:pull,push"]),
        ("repository:host:5000/a:pull", ["repository:host:5000/a:pull"]),
        ("registry:catalog:*", ["registry:catalog:*"]),
        ("nonsense", []),
        ("", []),
    ],
)
def test_scopes_are_read_and_written_in_one_order(text: str, expected: list[str]) -> None:
    """Equal rights mean the same token, regardless of their order."""
    assert Scopes.parse(text).texts() == expected


def test_wishes_and_challenge_are_asked_for_together() -> None:
    """One token then serves the following requests as well."""
    ours = Scopes.repository("a", frozenset({"pull", "push"}))
    assert ours.merged_with(Scopes.parse("repository:a:pull")) == ours
    assert ours.merged_with(Scopes.parse("")) == ours
    assert ours.merged_with(Scopes.parse("repository:tenant/a:pull")).texts() == ["repository:tenant/a:pull"]
