"""The options that describe an import rule."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, TypeVar

import click

from longshore_client.resources.rules import RuleChanges
from longshore_client.terminal.sizes import parse_size

_F = TypeVar("_F", bound=Callable[..., Any])
EVERYBODY = "everybody"
USER = "user:"
GROUP = "group:"
# A 32-bit integer in the API's database.
MAX_OPEN_IMPORTS = 2**31 - 1
# As the API has it.
MAX_WEIGHT = 100
# Removes a limit.
_NONE = "none"


class RuleParameters(TypedDict):
    """The parameters that `rule_options` adds to a command. A limit of None is not given; 0 never is a limit."""

    users: tuple[str, ...]
    groups: tuple[str, ...]
    everybody: bool
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    create_projects: bool | None
    overwrite_foreign_tags: bool | None
    max_image_size: "Limit | None"
    max_open_imports: "Limit | None"
    max_size_per_month: "Limit | None"
    weight: int | None


class Limit:
    """A limit that was given; its value is None for `none`."""

    def __init__(self, value: int | None) -> None:
        self.value = value


def _size_limit(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Limit | None:
    """Read a size, or `none`."""
    if value is None or value == _NONE:
        return None if value is None else Limit(None)
    try:
        count = parse_size(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    if count == 0:
        raise click.BadParameter("a limit is at least one byte; `none` removes it")
    return Limit(count)


def _count_limit(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Limit | None:
    """Read a number, or `none`."""
    if value is None or value == _NONE:
        return None if value is None else Limit(None)
    if not (value.isascii() and value.isdecimal()) or not 0 < int(value) <= MAX_OPEN_IMPORTS:
        raise click.BadParameter(f"{value!r} is no number from 1 to {MAX_OPEN_IMPORTS}; `none` removes the limit")
    return Limit(int(value))


_OPTIONS = (
    click.option("--user", "users", multiple=True, metavar="NAME", help="This user may import; repeatable."),
    click.option("--group", "groups", multiple=True, metavar="NAME", help="This group may import; repeatable."),
    click.option("--everybody", is_flag=True, help="Every user may import."),
    click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="PATTERN",
        help="A pattern of HOST/REPOSITORY, such as 'quay.io/**'; may be repeated.",
    ),
    click.option(
        "--target",
        "targets",
        multiple=True,
        metavar="PATTERN",
        help="A pattern of PROJECT/REPOSITORY, such as 'team-a/**'; may have {user}, {group}, {defaultProject} "
        "and {source}; may be repeated.",
    ),
    click.option("--create-projects/--no-create-projects", default=None, help="Whether to create missing projects."),
    click.option(
        "--overwrite-foreign-tags/--no-overwrite-foreign-tags",
        default=None,
        help="Whether --force replaces tags that Longshore did not write.",
    ),
    click.option(
        "--max-image-size",
        callback=_size_limit,
        metavar="SIZE",
        help="The largest image: 40GB, 40GiB; none: no limit.",
    ),
    click.option(
        "--max-open-imports",
        callback=_count_limit,
        metavar="NUMBER",
        help="Each user's imports under way; none: no limit.",
    ),
    click.option(
        "--max-size-per-month",
        callback=_size_limit,
        metavar="SIZE",
        help="Each user's bytes in a month; none: no limit.",
    ),
    click.option(
        "--weight",
        type=click.IntRange(1, MAX_WEIGHT),
        metavar="NUMBER",
        help="How many imports of a user run for each one of another user, while both wait; 1 in a new rule.",
    ),
)


def rule_options(command: _F) -> _F:
    """Add the options of a rule's fields."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_rule(parameters: RuleParameters) -> RuleChanges:
    """Return the fields that the options give."""
    fields = RuleChanges()
    if subjects := read_subjects(parameters["users"], parameters["groups"], everybody=parameters["everybody"]):
        fields["subjects"] = subjects
    if parameters["sources"]:
        fields["sources"] = parameters["sources"]
    if parameters["targets"]:
        fields["targets"] = parameters["targets"]
    if parameters["create_projects"] is not None:
        fields["create_projects"] = parameters["create_projects"]
    if parameters["overwrite_foreign_tags"] is not None:
        fields["overwrite_foreign_tags"] = parameters["overwrite_foreign_tags"]
    if limit := parameters["max_image_size"]:
        fields["max_image_bytes"] = limit.value
    if limit := parameters["max_open_imports"]:
        fields["max_open_imports"] = limit.value
    if limit := parameters["max_size_per_month"]:
        fields["max_bytes_per_month"] = limit.value
    if parameters["weight"] is not None:
        fields["weight"] = parameters["weight"]
    return fields


def read_subjects(users: Sequence[str], groups: Sequence[str], *, everybody: bool) -> Sequence[str]:
    """Return the subjects that the options name."""
    named = [*(f"{USER}{user}" for user in users), *(f"{GROUP}{group}" for group in groups)]
    return [*([EVERYBODY] if everybody else []), *named]
