"""`longshore login` and `logout`."""

import asyncio
import os
import sys

import click

from longshore_client.access import Access, clean_token, clean_url
from longshore_client.client import LongshoreClient
from longshore_client.commands.config_file import ConfigFileError, config_path, delete_access, read_access, write_access
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import read_secret
from longshore_client.status import Identity
from longshore_client.terminal.output import note


@click.command()
@click.argument("url", required=False)
@click.option("--token-stdin", is_flag=True, help="Read the token from the first line of stdin.")
def login(url: str | None, *, token_stdin: bool) -> int:
    """Sign in to the API at URL.

    Asks for the token without an echo, checks it, and stores it in a file that only you can read.
    """
    access = Access(url=_url(url), token=_token(token_stdin))
    if access.unencrypted:
        note("Warning: this address does not use TLS; others in the network can read the token.", style="yellow")
    identity = asyncio.run(_check(access))
    path = config_path(os.environ)
    write_access(path, access)
    note(f"Signed in to {access.url} as {identity.user}, role {identity.role}. Stored in {path}")
    return ExitCode.DONE


@click.command()
def logout() -> int:
    """Delete the stored address and token. The token stays valid until it expires or `tokens revoke` ends it."""
    path = config_path(os.environ)
    note(f"Deleted: {path}" if delete_access(path) else "You were not signed in.")
    return ExitCode.DONE


def _url(given: str | None) -> str:
    text = given or os.environ.get("LONGSHORE_URL") or _ask_url()
    try:
        return clean_url(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="URL") from None


def _ask_url() -> str:
    if not sys.stdin.isatty():
        raise click.UsageError("Name the API's address: longshore login URL")
    try:
        stored = read_access(config_path(os.environ))
    except ConfigFileError:
        stored = None
    return str(click.prompt("Address of the API", default=stored.url if stored else None, err=True))


def _token(from_stdin: bool) -> str:  # noqa: FBT001 - a private helper
    try:
        return clean_token(read_secret("Token", from_stdin=from_stdin))
    except ValueError as error:
        raise click.UsageError(str(error)) from None


async def _check(access: Access) -> Identity:
    async with LongshoreClient(access.url, access.token) as client:
        return await client.whoami()
