"""`longshore tokens`: API tokens that users create for themselves."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.options import json_option
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ClientError
from longshore_client.resources.tokens import ApiToken, NewToken
from longshore_client.terminal.figures import age, duration
from longshore_client.terminal.output import note, print_error, print_json, results
from longshore_client.terminal.tables import Column, print_table

_COLUMNS = (
    Column(title="ID", justify="right", no_wrap=True),
    Column(title="DESCRIPTION"),
    Column(title="ROLE", no_wrap=True),
    Column(title="STATE"),
    Column(title="LAST USE", no_wrap=True),
    Column(title="CREATED", no_wrap=True, min_width=80),
    Column(title="GROUPS", min_width=100),
)
_USER = Column(title="USER")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def tokens(context: click.Context, *, as_json: bool) -> int | None:
    """List, create and revoke your API tokens.

    A token allows what you may do, and expires. Admins list and revoke the tokens of all users.
    """
    if context.invoked_subcommand:
        return None
    return with_client(lambda client: _list(client, everybody=False, valid=False, as_json=as_json))


@tokens.command(name="list")
@click.option("--all", "everybody", is_flag=True, help="List the tokens of all users; needs an admin's token.")
@click.option("--valid", is_flag=True, help="List only tokens that have neither expired nor been revoked.")
@json_option
def list_tokens(*, everybody: bool, valid: bool, as_json: bool) -> int:
    """List your tokens, with their last use and the end of their validity."""
    return with_client(lambda client: _list(client, everybody=everybody, valid=valid, as_json=as_json))


@tokens.command()
@click.argument("description", required=False, default="")
@click.option("--days", type=click.IntRange(min=1), help="The lifetime; default: the API's setting.")
@click.option("--user", metavar="NAME", help="For this user instead of yourself; needs an admin's token.")
@click.option(
    "--role",
    type=click.Choice(["user", "admin"]),
    help="The role, at most your own; default: your own, and user for others.",
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME",
    help="A group; may be repeated; for admins. Default: your own, and none for others.",
)
@json_option
def create(
    description: str, *, days: int | None, user: str | None, role: str | None, groups: Sequence[str], as_json: bool
) -> int:
    """Create a token, and print it: this once.

    DESCRIPTION says what the token is for. Only the token goes to stdout, so that a script can store it:
    `longshore tokens create ci > token`.
    """
    wanted = NewToken(description=description, days=days, user=user, role=role, groups=groups or None)

    async def operation(client: LongshoreClient) -> ExitCode:
        created = await client.create_token(wanted)
        if as_json:
            print_json(created.token.raw)
            return ExitCode.DONE
        ends = f"valid for {_left(created.token, datetime.now(UTC))}" if created.token.expires else "does not expire"
        note(f"Created: token {created.token.id} of {created.token.user}, {ends}. It is shown only now:")
        results().out(created.secret, highlight=False)
        return ExitCode.DONE

    return with_client(operation)


@tokens.command()
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID...")
def revoke(ids: Sequence[int]) -> int:
    """Revoke tokens: requests with them, and with tokens that were created with them, are refused from now on.

    Imports that they started continue.
    """

    async def operation(client: LongshoreClient) -> ExitCode:
        status = ExitCode.DONE
        for token_id in ids:
            try:
                await client.revoke_token(token_id)
                note(f"Revoked: token {token_id}")
            except ClientError as error:
                note(f"Not revoked: token {token_id}")
                print_error(error)
                status = exit_code_of(error)
        return status

    return with_client(operation)


async def _list(client: LongshoreClient, *, everybody: bool, valid: bool, as_json: bool) -> ExitCode:
    found = await client.tokens(everybody=everybody, state="valid" if valid else None)
    if as_json:
        print_json([token.raw for token in found])
    elif found:
        now = datetime.now(UTC)
        columns = (_COLUMNS[0], _USER, *_COLUMNS[1:]) if everybody else _COLUMNS
        print_table(results(), columns, [_row(token, now, everybody=everybody) for token in found])
    else:
        note("No tokens.")
    return ExitCode.DONE


def _row(token: ApiToken, now: datetime, *, everybody: bool) -> Sequence[str]:
    return (
        str(token.id),
        *((token.user,) if everybody else ()),
        token.description,
        token.role,
        _state(token, now),
        age(token.last_used, now) or "never",
        age(token.created, now),
        ", ".join(token.groups),
    )


def _state(token: ApiToken, now: datetime) -> str:
    state = f"valid for {_left(token, now)}" if token.expires and token.state == "valid" else token.state
    return f"{state}, used now" if token.current else state


def _left(token: ApiToken, now: datetime) -> str:
    """Return the rest of a token's lifetime: whole days, or the last hours and minutes."""
    seconds = (token.expires - now).total_seconds() if token.expires else 0
    days = round(seconds / 86_400)
    return f"{days} days" if days > 1 else duration(max(0, seconds))
