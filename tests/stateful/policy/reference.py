"""The policy as docs/guide-import-rules.md states it, written again, without any code of the product. Pure.

It is as plain as possible, not fast: the campaign compares the product with it.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

DEFAULT_PROJECT = "imports"
_COMPANION = re.compile(r"sha256-[0-9a-f]{64}.*")
_HOST_PART = re.compile(r".*\..*|localhost.*|.*-[0-9]+|docker-daemon")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """A user with a role; the subject of its tokens is its name."""

    name: str
    admin: bool = False
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule as the API takes it."""

    name: str
    subjects: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    create_projects: bool
    overwrite: bool
    max_open: int | None

    @property
    def body(self) -> dict[str, object]:
        """The body of the request that creates it."""
        return {
            "name": self.name,
            "subjects": list(self.subjects),
            "sources": list(self.sources),
            "targets": list(self.targets),
            "createProjects": self.create_projects,
            "overwriteForeignTags": self.overwrite,
            "maxOpenImports": self.max_open,
        }


@dataclass(frozen=True, kw_only=True)
class Request:
    """An import: `source` is `host/repository`, `host_part` is the host as a part of a name in the target."""

    caller: Caller
    source: str
    host_part: str
    repository: str
    tag: str
    force: bool
    foreign: bool
    """The target's tag exists, and no import wrote what it points to."""
    project_exists: bool


def refusals(rules: Sequence[Rule], request: Request) -> Collection[str]:
    """Return the error codes with which the request may be refused; none if it has to be accepted."""
    if found := _name_refusals(request):
        return found | ({"target_tag_foreign"} if request.foreign else set())
    if request.foreign and not request.force:
        return {"target_tag_foreign", *refusals(rules, replace(request, foreign=False))}
    if request.caller.admin:
        return set()
    reasons: set[str] = set()
    for rule in rules:
        against = _against(rule, request)
        if against is None:
            return set()
        reasons.add(against)
    return reasons or {"source_not_allowed"}


def allowing(rules: Sequence[Rule], request: Request) -> Sequence[Rule]:
    """Return the rules that allow the request."""
    return [rule for rule in rules if _against(rule, request) is None]


def _name_refusals(request: Request) -> set[str]:
    refused: set[str] = set()
    parts = request.repository.split("/")
    if _COMPANION.fullmatch(request.tag):
        refused |= {"validation_failed", "target_not_allowed"}
    host_named = len(parts) > 2 and parts[0] == DEFAULT_PROJECT and _HOST_PART.fullmatch(parts[1])
    if host_named and parts[1] != request.host_part:
        refused |= {"validation_failed", "target_not_allowed"}
    return refused


def _against(rule: Rule, request: Request) -> str | None:
    caller = request.caller
    subjects = {"everybody", f"user:{caller.name}", *(f"group:{group}" for group in caller.groups)}
    if not subjects & set(rule.subjects):
        return "source_not_allowed"
    if not any(_fits(pattern, request.source) for pattern in rule.sources):
        return "source_not_allowed"
    if not any(_fits(pattern, request.repository) for target in rule.targets for pattern in _filled(target, request)):
        return "target_not_allowed"
    if request.foreign and not rule.overwrite:
        return "target_tag_foreign"
    if not request.project_exists and not rule.create_projects:
        return "target_not_allowed"
    return None


def _filled(target: str, request: Request) -> Iterator[str]:
    source_path = request.source.partition("/")[2]
    values = {
        "{user}": [request.caller.name],
        "{group}": sorted(request.caller.groups),
        "{defaultProject}": [DEFAULT_PROJECT],
        "{source}": [f"{request.host_part}/{source_path}"],
    }
    used = [mark for mark in values if mark in target]
    for chosen in product(*(values[mark] for mark in used)):
        filled = target
        for mark, value in zip(used, chosen, strict=True):
            filled = filled.replace(mark, value)
        yield filled


def _fits(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern: `*` within a part, `**` for any number of parts."""
    return _fits_parts(pattern.split("/"), name.split("/"))


def _fits_parts(pattern: Sequence[str], name: Sequence[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_fits_parts(pattern[1:], name[taken:]) for taken in range(len(name) + 1))
    if not name:
        return False
    part = re.compile("".join("[^/]*" if sign == "*" else re.escape(sign) for sign in pattern[0]))
    return part.fullmatch(name[0]) is not None and _fits_parts(pattern[1:], name[1:])
