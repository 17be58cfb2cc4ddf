"""Decides whether a caller may import a source into a target: the one place that judges, for every use case. Pure.

A rule allows; there is no rule that denies, and what no rule allows is refused. Admins need no rule.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import TypeAlias

from api_service.auth.identity import Identity
from api_service.rules.patterns import matches
from api_service.rules.rule import Limit, Placeholder
from api_service.rules.subjects import caller_values, expand, has_subject
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.import_rule import ImportRule, Usage
from shared.model.roles import Role

# A refusal names so many of the sources or targets that the caller's rules allow. Entries of a sentence.
MAX_NAMED = 5


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
class Facts:
    """What is known about the import; None means not known, and is not judged.

    `usage` is by the rule's id; a rule without an entry is unused. `now` is for the time at which a limit renews.
    """

    force: bool = False
    project_exists: bool | None = None
    foreign_tag: ForeignTag | None = None
    image_bytes: int | None = None
    usage: Mapping[int, Usage] = field(default_factory=dict)
    now: datetime | None = None

    @property
    def may_refuse(self) -> bool:
        """Whether a rule that has the caller, the source and the target can refuse the import by one of these."""
        known = self.foreign_tag is not None or self.image_bytes is not None or bool(self.usage)
        return known or self.project_exists is False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The import is allowed by this rule; None: the caller is an admin."""

    rule: ImportRule | None

    @property
    def may_create_project(self) -> bool:
        return self.rule is None or self.rule.create_projects


class Remedy(IntEnum):
    """How a refusal can end, from the most effort for the caller to the least."""

    ADMINISTRATOR = 0
    """An administrator has to change something."""
    OTHER_REQUEST = 1
    """Another target, or a smaller image."""
    WAIT = 2
    """Later, the same request is allowed."""
    FORCE = 3
    """The same request with `force` is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The import is refused; `detail` is a sentence for the person who asked, `retry_after` is in seconds."""

    code: Code
    detail: str
    remedy: Remedy = Remedy.ADMINISTRATOR
    retry_after: float | None = None

    @property
    def error(self) -> LongshoreError:
        return LongshoreError(self.code, self.detail, retry_after=self.retry_after)


Permission: TypeAlias = Allowed | Refused


def authorize(rules: Sequence[ImportRule], by: Identity, names: Names, facts: Facts) -> Permission:
    """Return the first rule that allows the import, or the refusal that the caller can end most easily.

    A refusal for a source or target shows nothing about the target: it comes before every fact about it.
    """
    if by.role is Role.ADMIN:
        return _refuse_unforced(facts) or Allowed(rule=None)
    applicable = applicable_rules(rules, by, names)
    if not applicable:
        return _refuse_names(rules, by, names)
    refusals = [_refuse(rule, names, facts) for rule in applicable]
    for rule, refusal in zip(applicable, refusals, strict=True):
        if refusal is None:
            return Allowed(rule=rule)
    return max((refusal for refusal in refusals if refusal), key=lambda refusal: refusal.remedy)


def reaches(rules: Sequence[ImportRule], by: Identity, names: Names) -> bool:
    """Return whether the caller's rules allow this source and target, whatever their limits say."""
    return by.role is Role.ADMIN or bool(applicable_rules(rules, by, names))


def applicable_rules(rules: Sequence[ImportRule], by: Identity, names: Names) -> list[ImportRule]:
    """Return the rules that have the caller, the source and the target; each of them may still refuse by a fact."""
    return [rule for rule in _rules_of_source(rules, by, names) if _has_target(rule, by, names)]


def explain(rules: Sequence[ImportRule], by: Identity, names: Names) -> list[tuple[ImportRule, str]]:
    """Return the caller's rules, each with a sentence that says whether it has the source and the target."""
    of_source = _rules_of_source(rules, by, names)
    return [(rule, _explain(rule, by, names, rule in of_source)) for rule in rules if has_subject(rule.subjects, by)]


def next_month(now: datetime) -> datetime:
    """Return the first moment of the next month, UTC: the bytes of a month are counted anew."""
    now = now.astimezone(UTC)
    return datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)


def _rules_of_source(rules: Sequence[ImportRule], by: Identity, names: Names) -> list[ImportRule]:
    return [
        rule
        for rule in rules
        if has_subject(rule.subjects, by) and any(matches(pattern, names.source) for pattern in rule.sources)
    ]


def _explain(rule: ImportRule, by: Identity, names: Names, has_source: bool) -> str:  # noqa: FBT001 - private
    if not has_source:
        return f"It does not have the source {names.source}; it has {_listed(iter(rule.sources))}."
    if not _has_target(rule, by, names):
        return f"It does not have the target {names.target}; it has {_listed(_targets(rule, by, names))}."
    return "It allows the import."


def _has_target(rule: ImportRule, by: Identity, names: Names) -> bool:
    return any(matches(pattern, names.target) for pattern in _targets(rule, by, names))


def _targets(rule: ImportRule, by: Identity, names: Names) -> Iterator[str]:
    values = {
        **caller_values(by),
        Placeholder.DEFAULT_PROJECT: [names.default_project],
        Placeholder.SOURCE: [names.derived],
    }
    for target in rule.targets:
        yield from expand(target, values)


def _refuse_names(rules: Sequence[ImportRule], by: Identity, names: Names) -> Refused:
    """Return why no rule has the caller, the source and the target."""
    of_caller = [rule for rule in rules if has_subject(rule.subjects, by)]
    if not of_caller:
        return Refused(code=Code.SOURCE_NOT_ALLOWED, detail=f"No import rule applies to {by.user}.")
    of_source = _rules_of_source(of_caller, by, names)
    if not of_source:
        allowed = _listed(pattern for rule in of_caller for pattern in rule.sources)
        return Refused(
            code=Code.SOURCE_NOT_ALLOWED,
            detail=f"No import rule lets {by.user} import {names.source}; allowed sources: {allowed}.",
        )
    allowed = _listed(target for rule in of_source for target in _targets(rule, by, names))
    return Refused(
        code=Code.TARGET_NOT_ALLOWED,
        detail=f"No import rule lets {by.user} import {names.source} to {names.target}; allowed targets: {allowed}.",
    )


def _listed(patterns: Iterator[str]) -> str:
    distinct = list(dict.fromkeys(patterns))
    more = [f"{len(distinct) - MAX_NAMED} more"] if len(distinct) > MAX_NAMED else []
    return ", ".join([*distinct[:MAX_NAMED], *more]) or "none"


def _refuse(rule: ImportRule, names: Names, facts: Facts) -> Refused | None:
    """Return why this rule, which has the caller, the source and the target, does not allow the import."""
    if facts.foreign_tag and not rule.overwrite_foreign:
        return _foreign(facts.foreign_tag, f"the import rule {rule.name} does not allow to replace it")
    if facts.project_exists is False and not rule.create_projects:
        return Refused(
            code=Code.TARGET_NOT_ALLOWED,
            detail=(
                f"There is no project {names.project}, and the import rule {rule.name} does not allow to create "
                "projects."
            ),
        )
    return _refuse_limits(rule, facts) or _refuse_unforced(facts)


def _refuse_unforced(facts: Facts) -> Refused | None:
    if facts.foreign_tag is None or facts.force:
        return None
    return _foreign(facts.foreign_tag, "`force` is needed to replace it", Remedy.FORCE)


def _foreign(tag: ForeignTag, reason: str, remedy: Remedy = Remedy.ADMINISTRATOR) -> Refused:
    pushed = f", pushed {tag.pushed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if tag.pushed_at else ""
    return Refused(
        code=Code.TARGET_TAG_FOREIGN,
        detail=f"The tag points to {tag.digest}{pushed}, which no import of Longshore's wrote; {reason}.",
        remedy=remedy,
    )


def _refuse_limits(rule: ImportRule, facts: Facts) -> Refused | None:
    usage, size = facts.usage.get(rule.id, Usage()), facts.image_bytes
    if rule.max_image_bytes is not None and size is not None and size > rule.max_image_bytes:
        reason = f"the image has {size} bytes, {rule.max_image_bytes} are allowed. It does not renew"
        return _limit(rule, Limit.IMAGE_BYTES, reason, Remedy.OTHER_REQUEST)
    if rule.max_open_imports is not None and usage.open_imports >= rule.max_open_imports:
        reason = (
            f"{usage.open_imports} imports are open, {rule.max_open_imports} are allowed. It renews when one of them "
            "ends"
        )
        return _limit(rule, Limit.OPEN_IMPORTS, reason, Remedy.WAIT)
    if rule.max_bytes_per_month is not None:
        return _refuse_month(rule, rule.max_bytes_per_month, usage, facts)
    return None


def _refuse_month(rule: ImportRule, limit: int, usage: Usage, facts: Facts) -> Refused | None:
    left, size = max(0, limit - usage.month_bytes), facts.image_bytes
    if left and (size is None or size <= left):
        return None
    reason = f"{left} of {limit} bytes are left in this month"
    if size is not None:
        reason += f", the image has {size}"
    if size is not None and size > limit:
        return _limit(rule, Limit.MONTH_BYTES, f"{reason}: more than a whole month's", Remedy.OTHER_REQUEST)
    if facts.now is None:
        return _limit(rule, Limit.MONTH_BYTES, reason, Remedy.WAIT)
    renews = next_month(facts.now)
    reason += f". It renews on {renews:%Y-%m-%d}, 00:00 UTC"
    return _limit(rule, Limit.MONTH_BYTES, reason, Remedy.WAIT, (renews - facts.now).total_seconds())


def _limit(rule: ImportRule, limit: Limit, reason: str, remedy: Remedy, retry_after: float | None = None) -> Refused:
    return Refused(
        code=Code.LIMIT_REACHED,
        detail=f"The limit {limit} of the import rule {rule.name} is reached: {reason}.",
        remedy=remedy,
        retry_after=retry_after,
    )
