"""Options that several commands share."""

import sys
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import click

from longshore_client.backoff import DEFAULT_RETRY_SECONDS
from longshore_client.commands.follow_import import FollowOptions
from longshore_client.import_request import Account, Credentials

_F = TypeVar("_F", bound=Callable[..., Any])


class FollowParameters(TypedDict):
    """The parameters that `following_options` adds to a command."""

    no_wait: bool
    cancel_on_interrupt: bool
    patience: float
    as_json: bool


class CredentialsParameters(TypedDict):
    """The parameters that `credentials_options` adds to a command."""

    registry: str | None
    username: str | None
    password_stdin: bool


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
cancel_option = click.option(
    "--cancel-on-interrupt", is_flag=True, help="On Ctrl-C, cancel the import instead of letting it continue."
)
patience_option = click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=DEFAULT_RETRY_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="Give up after the API has been away for this long.",
)
password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of stdin."
)


def following_options(command: _F) -> _F:
    """Add the options that determine how an import is followed."""
    no_wait = click.option("--no-wait", is_flag=True, help="Return as soon as the API has accepted the import.")
    return _add(command, no_wait, cancel_option, patience_option, json_option)


def credentials_options(command: _F) -> _F:
    """Add the options that select an account at the source."""
    registry = click.option("--registry", metavar="NAME", help="Use the account that the API has stored under NAME.")
    username = click.option("--username", metavar="NAME", help="Use this account; the command asks for its password.")
    return _add(command, registry, username, password_stdin_option)


def follow_options(parameters: FollowParameters) -> FollowOptions:
    """Return the values of `following_options`."""
    return FollowOptions(
        wait=not parameters["no_wait"],
        cancel_on_interrupt=parameters["cancel_on_interrupt"],
        retry_for=parameters["patience"],
        as_json=parameters["as_json"],
    )


def read_credentials(parameters: CredentialsParameters) -> Credentials | None:
    """Return the account of `credentials_options`; asks for a password without an echo."""
    registry, username, stdin = parameters["registry"], parameters["username"], parameters["password_stdin"]
    if registry and (username or stdin):
        raise click.UsageError("--registry names a stored account; it does not go with --username.")
    if stdin and not username:
        raise click.UsageError("--password-stdin needs --username.")
    if not username:
        return registry
    return Account(username=username, password=read_secret("Password", from_stdin=stdin))


def read_secret(prompt: str, *, from_stdin: bool) -> str:
    """Return a secret from stdin's first line, or from a prompt without an echo; never from the command line."""
    if from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
        if not secret:
            raise click.UsageError("There is nothing on stdin.")
        return secret
    if not sys.stdin.isatty():
        raise click.UsageError(f"{prompt}: there is no terminal for a prompt; pass it on stdin.")
    secret = click.prompt(prompt, hide_input=True, err=True)
    return str(secret)


def _add(command: _F, *options: Callable[[_F], _F]) -> _F:
    """Add options so that the help lists them in this order."""
    for option in reversed(options):
        command = option(command)
    return command
