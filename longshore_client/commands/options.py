"""Options that several commands have."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from longshore_client.account import Account, Credentials
from longshore_client.commands.follow_import import Manner
from longshore_client.patience import DEFAULT_SECONDS

_F = TypeVar("_F", bound=Callable[..., Any])


def json_option(command: _F) -> _F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def following_options(command: _F) -> _F:
    """Add what says how an import is followed."""
    options = (
        click.option("--no-wait", is_flag=True, help="Return as soon as the API has accepted it."),
        click.option("--cancel-on-interrupt", is_flag=True, help="Ctrl-C cancels; else it leaves the import alone."),
        click.option(
            "--patience",
            type=click.FloatRange(min=0),
            default=DEFAULT_SECONDS,
            show_default=True,
            metavar="SECONDS",
            help="How long the API may be away before following it is given up.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return json_option(command)


def credentials_options(command: _F) -> _F:
    """Add what says which account to use at the source."""
    options = (
        click.option("--registry", metavar="NAME", help="Use the account that the API has stored under this name."),
        click.option("--username", metavar="NAME", help="Use this account; its password is asked for."),
        click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def manner_of(*, no_wait: bool, cancel_on_interrupt: bool, patience: float, as_json: bool) -> Manner:
    """Return the manner that following_options have chosen."""
    return Manner(wait=not no_wait, cancel=cancel_on_interrupt, as_json=as_json, patience=patience)


def credentials_of(*, registry: str | None, username: str | None, password_stdin: bool) -> Credentials | None:
    """Return what credentials_options have chosen; asks for a password without showing it."""
    if registry and (username or password_stdin):
        raise click.UsageError("--registry names a stored account; it does not go with --username.")
    if password_stdin and not username:
        raise click.UsageError("--password-stdin needs --username.")
    if not username:
        return registry
    return Account(username=username, password=read_secret("Password", from_stdin=password_stdin))


def read_secret(prompt: str, *, from_stdin: bool) -> str:
    """Return a secret from stdin's first line, or from a prompt without an echo; never from the command line."""
    if from_stdin:
        secret = sys.stdin.readline().rstrip("\r\n")
        if not secret:
            raise click.UsageError("There is nothing on stdin.")
        return secret
    if not sys.stdin.isatty():
        raise click.UsageError(f"{prompt}: there is no terminal to ask at; hand it over on stdin.")
    secret = click.prompt(prompt, hide_input=True, err=True)
    return str(secret)
