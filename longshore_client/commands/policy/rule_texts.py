"""Import rules as tables and lines."""

from collections.abc import Sequence

from longshore_client.commands.policy.rule_options import EVERYBODY, USER
from longshore_client.resources.rules import ImportRule
from longshore_client.terminal.output import results
from longshore_client.terminal.sizes import about, exact_size
from longshore_client.terminal.tables import Column, print_pairs, print_table

_COLUMNS = (
    Column(title="ID", justify="right", no_wrap=True),
    Column(title="NAME"),
    Column(title="WHO"),
    Column(title="SOURCES"),
    Column(title="TARGETS"),
    Column(title="GRANTS", min_width=100),
    Column(title="LIMITS", min_width=80),
)


def print_rules(rules: Sequence[ImportRule]) -> None:
    """Print a table; it has what is left of the limits if the API sent it."""
    columns = (*_COLUMNS, Column(title="LEFT")) if any(rule.usage for rule in rules) else _COLUMNS
    print_table(results(), columns, [(*_row(rule), ", ".join(left_of(rule)))[: len(columns)] for rule in rules])


def print_rule(rule: ImportRule) -> None:
    """Print one rule, with each subject and pattern in a line."""
    pairs = [("Rule", str(rule.id)), ("Name", rule.name)]
    for title, values in (("May import", rule.subjects), ("From", rule.sources), ("To", rule.targets)):
        pairs += [(title if number == 0 else " ", value) for number, value in enumerate(values)]
    pairs += [
        ("Grants", ", ".join(grants_of(rule))),
        ("Image size", _size(rule.max_image_bytes)),
        ("Open imports", "" if rule.max_open_imports is None else f"{rule.max_open_imports} at once"),
        ("Per month", _size(rule.max_bytes_per_month)),
        ("Left", ", ".join(left_of(rule))),
        ("Created by", rule.user),
        ("Changed", rule.updated.astimezone().strftime("%Y-%m-%d %H:%M:%S") if rule.updated else ""),
    ]
    print_pairs(results(), pairs)


def grants_of(rule: ImportRule) -> Sequence[str]:
    """Return what the rule grants beside importing."""
    granted = (
        (rule.create_projects, "new projects"),
        (rule.overwrite_foreign_tags, "foreign tags with --force"),
        (rule.weight != 1, f"weight {rule.weight}"),
    )
    return [words for has, words in granted if has]


def limits_of(rule: ImportRule) -> Sequence[str]:
    """Return the rule's limits; each counts for each user by itself."""
    limits = []
    if rule.max_image_bytes is not None:
        limits.append(f"{exact_size(rule.max_image_bytes)} an image")
    if rule.max_open_imports is not None:
        limits.append(f"{rule.max_open_imports} open")
    if rule.max_bytes_per_month is not None:
        limits.append(f"{exact_size(rule.max_bytes_per_month)} a month")
    return limits


def left_of(rule: ImportRule) -> Sequence[str]:
    """Return what is left of the caller's limits, and when the month's renews."""
    usage, left = rule.usage, []
    if usage and rule.max_open_imports is not None:
        left.append(f"{max(0, rule.max_open_imports - usage.open_imports)} open")
    if usage and rule.max_bytes_per_month is not None:
        renews = f" until {usage.renews:%Y-%m-%d}" if usage.renews else ""
        left.append(f"{about(max(0, rule.max_bytes_per_month - usage.month_bytes))}{renews}")
    return left


def _row(rule: ImportRule) -> tuple[str, ...]:
    lists = (rule.sources, rule.targets, grants_of(rule), limits_of(rule))
    who = [subject if subject == EVERYBODY else subject.removeprefix(USER) for subject in rule.subjects]
    return (str(rule.id), rule.name, ", ".join(who), *(", ".join(values) for values in lists))


def _size(limit: int | None) -> str:
    return "" if limit is None else about(limit)
