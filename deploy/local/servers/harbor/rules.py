"""Tag immutability rules (src/pkg/immutable/match/rule/match.go)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

# The special parts of Harbor's doublestar patterns.
_MARKS = re.compile(r"\*\*|\*|\?|\{[^{}]*\}")


@dataclass(frozen=True, kw_only=True)
class Selector:
    """One pattern; `excludes` inverts it."""

    pattern: str
    excludes: bool

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Selector:
        """Parse a selector; the decorations are matches, excludes, repoMatches and repoExcludes."""
        return cls(pattern=document["pattern"], excludes=str(document["decoration"]).lower().endswith("excludes"))

    def selects(self, name: str) -> bool:
        return bool(doublestar(self.pattern).fullmatch(name)) != self.excludes


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An existing tag is immutable if it and its repository match. `document` is the request's body."""

    repository: Selector
    tag: Selector
    disabled: bool
    document: dict[str, Any]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Rule:
        """Parse a rule; like Harbor, use only the first selector of each kind."""
        return cls(
            repository=Selector.from_json(document["scope_selectors"]["repository"][0]),
            tag=Selector.from_json(document["tag_selectors"][0]),
            disabled=bool(document.get("disabled")),
            document=document,
        )

    def protects(self, repository: str, tag: str) -> bool:
        """Return whether a tag is immutable; the repository's name is without its project."""
        return not self.disabled and self.repository.selects(repository) and self.tag.selects(tag)


@cache
def doublestar(pattern: str) -> re.Pattern[str]:
    """Translate a doublestar pattern to a regular expression."""
    parts, place = [], 0
    for mark in _MARKS.finditer(pattern):
        parts += [re.escape(pattern[place : mark.start()]), _meaning(mark[0])]
        place = mark.end()
    return re.compile("".join([*parts, re.escape(pattern[place:])]))


def _meaning(mark: str) -> str:
    if mark.startswith("{"):
        return "(?:" + "|".join(re.escape(choice) for choice in mark[1:-1].split(",")) + ")"
    return {"**": ".*", "*": "[^/]*", "?": "[^/]"}[mark]
