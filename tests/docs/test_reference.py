"""The reference pages match the code."""

import pytest

from deploy.reference.__main__ import PAGES, stale
from deploy.reference.errors import error_facts
from deploy.reference.page import PageError, entries, filled

FACTS = {"A": ["new"], "B": ["also new"]}
PAGE = """# Title

## Part

### `A`

> old

By hand.

## Another part

Not of an entry.
"""


def test_the_pages_are_as_the_code_is() -> None:
    """Every setting and error code has an entry with a text, and there are no others; `make docs` updates the facts."""
    assert stale(write=False) == []


def test_what_is_read_is_noted() -> None:
    """The recorder finds the settings of both services with their limits, also conditional ones."""
    settings = PAGES["configuration.md"]()
    assert settings["DATABASE_URL"] == ["API and worker: text; required"]
    assert settings["OIDC_AUDIENCE"] == ["API, where `OIDC_ISSUER` is set: text; required"]
    assert settings["WORKER_SLOTS"] == ["Worker: whole number, 1 to 64; default: `2`"]
    assert settings["DOCKER_SOURCE"] == ["API: `off`, `admins` or `users`; default: `off`"]


def test_an_error_has_its_side_status_and_hint() -> None:
    fact, hint = error_facts()["source_rate_limited"]
    assert "Side `source`, HTTP 429, waited for" in fact
    assert hint.startswith("The import resumes automatically")


def test_facts_are_written_anew_and_text_is_kept() -> None:
    """Missing entries are appended without text, which a person must write."""
    fresh = filled(PAGE, FACTS)
    assert "### `A`\n\n> new\n\nBy hand.\n\n## Another part\n\nNot of an entry.\n" in fresh
    assert "old" not in fresh
    assert entries(fresh) == {"A": "By hand.", "B": ""}
    assert filled(fresh, FACTS) == fresh


def test_an_entry_of_what_is_gone_is_refused() -> None:
    """The program does not delete hand-written text."""
    with pytest.raises(PageError, match="A"):
        filled(PAGE, {"B": ["new"]})
