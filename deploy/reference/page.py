"""A page with an entry for each of something: a heading, facts from the code, and text by hand.

### `NAME`

> Facts, which are written anew each time.

Text, which is left as it is.
"""

import re
from collections.abc import Mapping, Sequence

_ENTRY = re.compile(r"^### `(?P<name>[^`\n]+)`\n\n?(?P<facts>(?:>.*\n)*)\n?(?P<text>(?:(?!#).*\n)*)", re.MULTILINE)


class PageError(Exception):
    """The page cannot be brought up to date by a program; the text says what a person has to do."""


def filled(page: str, facts: Mapping[str, Sequence[str]]) -> str:
    """Return the page with the facts of each entry as they are now; an entry that is missing is put at the end."""
    if unknown := sorted(set(entries(page)) - facts.keys()):
        raise PageError(f"there are entries of what does not exist any more: {', '.join(unknown)}")
    missing = [name for name in facts if name not in entries(page)]
    whole = page + "".join(f"\n### `{name}`\n" for name in missing)
    return _ENTRY.sub(lambda entry: _entry(entry, facts[entry["name"]]), whole)


def entries(page: str) -> dict[str, str]:
    """Return the text by hand of each entry, by its name."""
    return {entry["name"]: entry["text"].strip() for entry in _ENTRY.finditer(page)}


def _entry(entry: re.Match[str], facts: Sequence[str]) -> str:
    quoted = "\n".join(f"> {line}" for line in facts)
    return f"### `{entry['name']}`\n\n{quoted}\n\n{entry['text']}"
