"""The facts about each error code, from the table of errors."""

from collections.abc import Sequence

from shared.errors.kinds import ERROR_KINDS, ErrorKind


def error_facts() -> dict[str, Sequence[str]]:
    """Return the lines about each error by its code."""
    return {code: _facts(kind) for code, kind in ERROR_KINDS.items()}


def _facts(kind: ErrorKind) -> list[str]:
    return [f"**{kind.title}.** Side `{kind.side}`, HTTP {kind.status.value}, {_again(kind)}.", f"{kind.hint}"]


def _again(kind: ErrorKind) -> str:
    if kind.parks:
        return "waited for without an attempt being counted"
    return "retryable" if kind.retryable else "not retryable"
