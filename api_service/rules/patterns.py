"""Patterns of sources (`host/repository`) and of targets (`project/repository`). Pure.

`*` stands for any characters within one part between slashes, `**` for any number of whole parts.
"""

import re
from collections.abc import Sequence

from shared.oci.engine_image import DOCKER_DAEMON
from shared.oci.reference import normal_registry

# Characters and stars of one pattern: no name is longer, and matching stays fast whatever an admin writes.
MAX_PATTERN_LENGTH = 255
MAX_STARS = 16

ANY_PARTS = "**"
# A host with its port, or a component of a repository's name, with stars; an IPv6 host.
_PART = re.compile(r"[a-z0-9._:*-]+|\[[0-9a-f:]+\](?::[0-9]+)?")
# Names that end where the placeholder does, or go on after it, such as `team-{group}`.
_WITH_PLACEHOLDER = re.compile(r"([a-z0-9._-]*)\{([a-zA-Z]+)\}([a-z0-9._-]*)")
_ENGINE = DOCKER_DAEMON.removesuffix(":")


def check_pattern(pattern: str, placeholders: Sequence[str] = (), whole: Sequence[str] = ()) -> None:
    """Raise ValueError with a sentence for a person unless the text is a pattern.

    It may have these placeholders, and those of `whole` as whole parts. A star beside a placeholder is refused:
    `{user}*` would give the targets of `anna` to `ann`.
    """
    if not 0 < len(pattern) <= MAX_PATTERN_LENGTH:
        raise ValueError(f"a pattern has 1 to {MAX_PATTERN_LENGTH} characters")
    if pattern.count("*") > MAX_STARS:
        raise ValueError(f"{pattern[:50]!r}: a pattern has at most {MAX_STARS} stars")
    for part in pattern.split("/"):
        _check_part(part, placeholders, whole)


def check_source(pattern: str) -> None:
    """Raise ValueError unless the text is a pattern of `host/repository` that some source can fit."""
    check_pattern(pattern)
    host, _, repository = pattern.partition("/")
    if pattern != ANY_PARTS and not repository:
        raise ValueError(f"{pattern!r} names no repository: write '{pattern}/**' for all of a host's")
    if "[" in repository:
        raise ValueError(f"{pattern!r}: brackets are for the address of a host")
    if ":" in repository and host != _ENGINE:
        raise ValueError(f"{pattern!r}: a pattern names repositories; a tag is no part of it")
    if "*" not in host and host != _ENGINE and (normal := normal_registry(host)) != host:
        raise ValueError(f"{pattern!r}: write the host as {normal!r}, its name in every reference")


def check_target(pattern: str, placeholders: Sequence[str] = (), whole: Sequence[str] = ()) -> None:
    """Raise ValueError unless the text is a pattern of `project/repository` that some target can fit."""
    check_pattern(pattern, placeholders, whole)
    if pattern != ANY_PARTS and "/" not in pattern:
        raise ValueError(f"{pattern!r} names no repository: write '{pattern}/**' for all of a project's")
    if ":" in pattern or "[" in pattern:
        raise ValueError(f"{pattern!r}: a target's pattern is a project and a repository, without host and tag")


def matches(pattern: str, name: str) -> bool:
    """Return whether a name, such as `docker.io/library/nginx`, fits the pattern."""
    if pattern == ANY_PARTS:
        return True
    return _match_parts(pattern.split("/"), name.split("/"))


def _check_part(part: str, placeholders: Sequence[str], whole: Sequence[str]) -> None:
    if found := _WITH_PLACEHOLDER.fullmatch(part):
        known = (*placeholders, *whole)
        if found[2] not in known:
            listed = ", ".join(f"{{{name}}}" for name in known) or "none"
            raise ValueError(f"{{{found[2]}}} is no placeholder; there are {listed}")
        if found[2] in whole and found[0] != f"{{{found[2]}}}":
            raise ValueError(f"{{{found[2]}}} stands for whole parts: write it between slashes")
        return
    if _PART.fullmatch(part) is None:
        raise ValueError(
            f"{part[:50]!r} is no part of a pattern: lower-case letters, digits, '.', '_', '-', ':', '*', or '**'"
        )
    if ANY_PARTS in part and part != ANY_PARTS:
        raise ValueError(f"{part[:50]!r}: '**' stands for whole parts: write it between slashes")


def _match_parts(pattern: Sequence[str], name: Sequence[str]) -> bool:
    """Match greedily; on a mismatch, let the last `**` take one more part: no other choice needs a second look."""
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
    """Match the texts between the stars one after another, each as far to the left as it is."""
    if "*" not in pattern:
        return pattern == part
    first, *middle, last = pattern.split("*")
    position, end = len(first), len(part) - len(last)
    if position > end or not part.startswith(first) or not part.endswith(last):
        return False
    for text in middle:
        found = part.find(text, position, end)
        if found < 0:
            return False
        position = found + len(text)
    return True
