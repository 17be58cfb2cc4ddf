"""An import rule: it allows its subjects to import from its sources into its targets, within its limits."""

from dataclasses import dataclass

# The largest weight of a rule. More than that would leave others next to nothing.
MAX_WEIGHT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleValues:
    """The fields of a rule that an administrator sets. A limit of None is no limit.

    `subjects` are `everybody`, `user:NAME` and `group:NAME`; `sources` and `targets` are patterns. `create_projects`:
    missing projects are created. `overwrite_foreign`: with `force`, tags that Longshore did not write are replaced.
    `weight`: while several users wait, one whose imports weigh twice as much has twice as many running.
    """

    name: str
    subjects: tuple[str, ...]
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    create_projects: bool = False
    overwrite_foreign: bool = False
    max_image_bytes: int | None = None
    max_open_imports: int | None = None
    max_bytes_per_month: int | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRule(RuleValues):
    """A rule with its id."""

    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A user's part of one rule's limits."""

    open_imports: int = 0
    month_bytes: int = 0
