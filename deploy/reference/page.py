"""A page of entries: each has a heading, facts from the code, and hand-written text.

### `NAME`

> Facts, which are replaced each time.

Text, which is kept.
"""

import re
from collections.abc import Mapping, Sequence

_ENTRY = re.compile(r"^### `(?P<name>[^`\n]+)`\n\n?(?P<facts>(?:>.*\n)*)\n?(?P<text>(?:(?!#).*\n)*)", re.MULTILINE)


class PageError(Exception):
    """The page cannot be updated automatically; the message says what to do by hand."""


def filled(page: str, facts: Mapping[str, Sequence[str]]) -> str:
    """Return the page with the current facts of each entry; missing entries are appended."""
    if unknown := sorted(set(entries(page)) - facts.keys()):
        raise PageError(f"these entries no longer exist in the code: {', '.join(unknown)}")
    missing = [name for name in facts if name not in entries(page)]
    whole = page + "".join(f"\n### `{name}`\n" for name in missing)
    return _ENTRY.sub(lambda entry: _entry(entry, facts[entry["name"]]), whole)


def entries(page: str) -> dict[str, str]:
    """Return the hand-written text of each entry by its name."""
    return {entry["name"]: entry["text"].strip() for entry in _ENTRY.finditer(page)}


def _entry(entry: re.Match[str], facts: Sequence[str]) -> str:
    quoted = "\n".join(f"> {line}" for line in facts)
    return f"### `{entry['name']}`\n\n{quoted}\n\n{entry['text']}"
