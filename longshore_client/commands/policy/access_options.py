"""The options that say which users may use a stored account, for what."""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import click

from longshore_client.commands.policy.rule_options import EVERYBODY, USER, read_subjects
from longshore_client.resources.registries import RegistryAccess

_F = TypeVar("_F", bound=Callable[..., Any])
# Each user may use the account for what an import rule lets this user import; the list narrows that further.
_ANY = ("**",)


class AccessParameters(TypedDict):
    """The parameters that `access_options` adds to a command."""

    access_users: tuple[str, ...]
    access_groups: tuple[str, ...]
    access_everybody: bool
    access_repositories: tuple[str, ...]
    access_targets: tuple[str, ...]


def access_options(command: _F) -> _F:
    """Add the options of an access list."""
    options = (
        click.option(
            "--access-user", "access_users", multiple=True, metavar="NAME", help="This user may use the account."
        ),
        click.option(
            "--access-group", "access_groups", multiple=True, metavar="NAME", help="This group may use the account."
        ),
        click.option("--access-everybody", is_flag=True, help="Every user may use the account."),
        click.option(
            "--access-repository",
            "access_repositories",
            multiple=True,
            metavar="PATTERN",
            help="Only for these repositories at the source, such as 'team-a/**'; default: all.",
        ),
        click.option(
            "--access-target",
            "access_targets",
            multiple=True,
            metavar="PATTERN",
            help="Only for imports to these PROJECT/REPOSITORY patterns; default: all.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def names_access(parameters: AccessParameters) -> bool:
    """Return whether any of the options is given."""
    return any(parameters.values())


def new_access(parameters: AccessParameters) -> RegistryAccess | None:
    """Return the access list of the options; None without any."""
    if not names_access(parameters):
        return None
    return changed_access(None, parameters)


def changed_access(old: RegistryAccess | None, parameters: AccessParameters) -> RegistryAccess:
    """Return the access list with the parts that the options replace."""
    named = parameters["access_users"], parameters["access_groups"]
    subjects = read_subjects(*named, everybody=parameters["access_everybody"]) or (old.subjects if old else ())
    if not subjects:
        raise click.UsageError("An access list needs --access-user, --access-group or --access-everybody.")
    return RegistryAccess(
        subjects=tuple(subjects),
        repositories=parameters["access_repositories"] or (old.repositories if old else _ANY),
        targets=parameters["access_targets"] or (old.targets if old else _ANY),
    )


def access_text(access: RegistryAccess | None) -> str:
    """Return an access list in a line."""
    if access is None:
        return "admins"
    who = ", ".join(subject if subject == EVERYBODY else subject.removeprefix(USER) for subject in access.subjects)
    narrowed = (("", access.repositories), ("to ", access.targets))
    return "; ".join([who, *(f"{word}{', '.join(patterns)}" for word, patterns in narrowed if patterns != _ANY)])
