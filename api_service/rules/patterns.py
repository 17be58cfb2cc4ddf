"""Patterns of sources (`host/repository`) and of targets (`project/repository`). Pure.

`*` stands for any characters within one part between slashes, `**` for any number of whole parts.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

# Characters and stars of one pattern: no name is longer, and matching stays fast whatever an admin writes.
MAX_PATTERN_LENGTH = 255
MAX_STARS = 16

ANY_PARTS = "**"
# A host with its port, or a component of a repository's name, with stars. The letters and marks of both, and no others:
# `?` and `[` would be signs of fnmatch.
_PART = re.compile(r"[a-z0-9._:*-]+|\[[0-9a-f:]+\](?::[0-9]+)?|\{[a-zA-Z]+\}")


def check_pattern(pattern: str, placeholders: Sequence[str] = ()) -> None:
    """Raise ValueError with a sentence for a person unless the text is a pattern; it may have these placeholders."""
    if not 0 < len(pattern) <= MAX_PATTERN_LENGTH:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN_LENGTH} characters")
    if pattern.count("*") > MAX_STARS:
        raise ValueError(f"a pattern has at most {MAX_STARS} stars")
    for part in pattern.split("/"):
        _check_part(part, placeholders)


def matches(pattern: str, name: str) -> bool:
    """Return whether a name, such as `docker.io/library/nginx`, fits the pattern; takes time linear in both."""
    return _match_parts(pattern.split("/"), name.split("/"))


def _check_part(part: str, placeholders: Sequence[str]) -> None:
    if _PART.fullmatch(part) is None:
        raise ValueError(
            f"{part[:50]!r} is no part of a pattern: lower-case letters, digits, '.', '_', '-', ':', '*', or '**'"
        )
    if ANY_PARTS in part and part != ANY_PARTS:
        raise ValueError("'**' stands for whole parts: write it between slashes")
    if part.startswith("{") and part[1:-1] not in placeholders:
        known = ", ".join(f"{{{name}}}" for name in placeholders) or "none"
        raise ValueError(f"{part} is no placeholder; there are {known}")


def _match_parts(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Match greedily; on a mismatch, let the last `**` take one more part, as fnmatch does with single characters."""
    at, position, resume, taken = 0, 0, -1, 0
    while position < len(name):
        if at < len(pattern) and pattern[at] == ANY_PARTS:
            resume, taken, at = at + 1, position, at + 1
        elif at < len(pattern) and _matches_part(pattern[at], name[position]):
            at, position = at + 1, position + 1
        elif resume >= 0:
            taken += 1
            at, position = resume, taken
        else:
            return False
    return all(part == ANY_PARTS for part in pattern[at:])


def _matches_part(pattern: str, part: str) -> bool:
    # An IPv6 host has brackets, which are signs of fnmatch.
    return pattern == part or ("*" in pattern and fnmatchcase(part, pattern))
