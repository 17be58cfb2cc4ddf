"""Decides whether a caller may import a source into a target: the one place that judges, for every use case. Pure.

A rule allows; there is no rule that denies, and what no rule allows is refused. Admins need no rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from api_service.auth.identity import Identity
from api_service.rules.patterns import matches
from api_service.rules.rule import EVERYBODY, GROUP_PREFIX, USER_PREFIX, Limit, Placeholder
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.import_rule import ImportRule
from shared.model.roles import Role
from shared.oci.reference import is_component


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is imported, and to where.

    `source` is `host/repository`, `target` is `project/repository`. `derived` is what the name that an import gets
    without `target` has below the default project.
    """

    source: str
    target: str
    derived: str
    default_project: str

    @property
    def project(self) -> str:
        return self.target.partition("/")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignTag:
    """A tag that no import of Longshore's wrote: its digest, and when it was pushed, if the target says so."""

    digest: str
    pushed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a caller holds of one rule's limits."""

    open_imports: int = 0
    month_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about the import; None means not known, and is not judged.

    `usage` is by the rule's id; `month_ends` is when the limits of this month renew.
    """

    force: bool = False
    project_exists: bool | None = None
    foreign_tag: ForeignTag | None = None
    image_bytes: int | None = None
    usage: Mapping[int, Usage] = field(default_factory=dict)
    month_ends: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The import is allowed by this rule; None: the caller is an admin."""

    rule: ImportRule | None

    @property
    def may_create_project(self) -> bool:
        return self.rule is None or self.rule.create_projects


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The import is refused; `detail` is a sentence for the person who asked."""

    code: Code
    detail: str
    retry_after: float | None = None

    @property
    def error(self) -> LongshoreError:
        return LongshoreError(self.code, self.detail, retry_after=self.retry_after)


Permission: TypeAlias = Allowed | Refused


def authorize(rules: Sequence[ImportRule], by: Identity, names: Names, facts: Facts) -> Permission:
    """Return the first rule, by id, that allows the import, or the refusal that comes closest to a permission."""
    if refused := _refuse_foreign_tag_without_force(facts):
        return refused
    if by.role is Role.ADMIN:
        return Allowed(rule=None)
    of_caller = [rule for rule in rules if _has_subject(rule, by)]
    of_source = [rule for rule in of_caller if any(matches(pattern, names.source) for pattern in rule.sources)]
    if not of_source:
        return Refused(code=Code.SOURCE_NOT_ALLOWED, detail=f"No import rule lets {by.user} import {names.source}.")
    of_target = [rule for rule in of_source if _has_target(rule, by, names)]
    if not of_target:
        return Refused(
            code=Code.TARGET_NOT_ALLOWED,
            detail=f"No import rule lets {by.user} import {names.source} to {names.target}.",
        )
    refusals = [_refuse(rule, names, facts) for rule in of_target]
    for rule, refusal in zip(of_target, refusals, strict=True):
        if refusal is None:
            return Allowed(rule=rule)
    return max((refusal for refusal in refusals if refusal), key=_closeness)


def reaches(rules: Sequence[ImportRule], by: Identity, names: Names) -> bool:
    """Return whether the caller's rules allow this source and target, whatever their limits say."""
    return isinstance(authorize(rules, by, names, Facts()), Allowed)


def _has_subject(rule: ImportRule, by: Identity) -> bool:
    own = {EVERYBODY, f"{USER_PREFIX}{by.owner.subject}", *(f"{GROUP_PREFIX}{group}" for group in by.groups)}
    return not own.isdisjoint(rule.subjects)


def _has_target(rule: ImportRule, by: Identity, names: Names) -> bool:
    return any(matches(pattern, names.target) for target in rule.targets for pattern in _expand(target, by, names))


def _expand(pattern: str, by: Identity, names: Names) -> Iterator[str]:
    """Yield the pattern with its placeholders replaced; nothing if one of them has no value that can be a name."""
    values = {
        Placeholder.USER: [by.owner.subject] if is_component(by.owner.subject) else [],
        Placeholder.GROUP: sorted(group for group in by.groups if is_component(group)),
        Placeholder.DEFAULT_PROJECT: [names.default_project],
        Placeholder.SOURCE: [names.derived],
    }
    expanded = [pattern]
    for placeholder, candidates in values.items():
        if (mark := f"{{{placeholder}}}") in pattern:
            expanded = [each.replace(mark, value) for each in expanded for value in candidates]
    yield from expanded


def _refuse_foreign_tag_without_force(facts: Facts) -> Refused | None:
    if facts.foreign_tag is None or facts.force:
        return None
    return _foreign(facts.foreign_tag, "`force` is needed to replace it")


def _refuse(rule: ImportRule, names: Names, facts: Facts) -> Refused | None:
    """Return why this rule, which has the caller, the source and the target, does not allow the import."""
    if facts.foreign_tag and not rule.overwrite_foreign:
        return _foreign(facts.foreign_tag, f"the rule {rule.name} does not allow to replace it")
    if facts.project_exists is False and not rule.create_projects:
        return Refused(
            code=Code.TARGET_NOT_ALLOWED,
            detail=f"There is no project {names.project}, and the rule {rule.name} does not allow to create projects.",
        )
    return _refuse_limits(rule, facts)


def _refuse_limits(rule: ImportRule, facts: Facts) -> Refused | None:
    usage = facts.usage.get(rule.id, Usage())
    size = facts.image_bytes
    if rule.max_image_bytes is not None and size is not None and size > rule.max_image_bytes:
        return _limit(rule, Limit.IMAGE_BYTES, f"the image has {size} bytes, {rule.max_image_bytes} are allowed")
    if rule.max_open_imports is not None and usage.open_imports >= rule.max_open_imports:
        return _limit(
            rule, Limit.OPEN_IMPORTS, f"{usage.open_imports} imports are open, {rule.max_open_imports} are allowed"
        )
    if rule.max_bytes_per_month is not None:
        left = max(0, rule.max_bytes_per_month - usage.month_bytes)
        if left == 0 or (size is not None and size > left):
            renews = f" until {facts.month_ends:%Y-%m-%d}" if facts.month_ends else ""
            return _limit(rule, Limit.MONTH_BYTES, f"{left} of {rule.max_bytes_per_month} bytes are left{renews}")
    return None


def _limit(rule: ImportRule, limit: Limit, reason: str) -> Refused:
    return Refused(code=Code.LIMIT_REACHED, detail=f"{limit} of the rule {rule.name}: {reason}.")


def _foreign(tag: ForeignTag, reason: str) -> Refused:
    pushed = f", pushed {tag.pushed_at:%Y-%m-%d %H:%M} UTC" if tag.pushed_at else ""
    return Refused(
        code=Code.TARGET_TAG_FOREIGN,
        detail=f"The tag points to {tag.digest}{pushed}, which no import of Longshore's wrote; {reason}.",
    )


def _closeness(refusal: Refused) -> int:
    """Order refusals: one that the caller can end alone, by waiting or with a smaller image, is the most helpful."""
    return (Code.TARGET_TAG_FOREIGN, Code.TARGET_NOT_ALLOWED, Code.LIMIT_REACHED).index(refusal.code)
