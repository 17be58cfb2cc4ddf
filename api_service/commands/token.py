"""`longshore-api token`: creates, lists and revokes API tokens."""

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from api_service.auth.identity import MAX_USER_LENGTH
from api_service.commands.common import one_line_errors, use_database
from api_service.web.answers import rfc3339
from shared.db.tokens import ApiToken, create_token, list_tokens, revoke_token
from shared.model.roles import Role

# Seconds.
DAY = 24 * 3_600
# Longer than any rotation plan, and within the range of PostgreSQL's timestamps. Days.
MAX_DAYS = 36_500
# PostgreSQL's bigint.
MAX_ID = 2**63 - 1


@click.group()
def token() -> None:
    """API tokens, with which clients and workers authenticate."""


def _user(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip() or value != value.strip() or len(value) > MAX_USER_LENGTH or not value.isprintable():
        raise click.BadParameter(f"1 to {MAX_USER_LENGTH} printable characters, no blanks at the ends")
    return value


@token.command()
@click.option("--user", required=True, callback=_user, help="The token's user.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="The token's role.")
@click.option("--expires-in-days", type=click.IntRange(1, MAX_DAYS), help="Without it, the token never expires.")
@one_line_errors
def create(user: str, role: str, expires_in_days: int | None) -> None:
    """Create a token and print it; it is not shown again."""
    lifetime = expires_in_days * DAY if expires_in_days else None
    secret = use_database(lambda connection: create_token(connection, user=user, role=Role(role), lifetime=lifetime))
    click.echo(secret)
    click.echo(f"A token for {user}, role {role}. Keep it now: only its hash is stored.", err=True)


@token.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_line_errors
def list_command(*, as_json: bool) -> None:
    """List the tokens, without their secrets."""
    tokens = use_database(list_tokens)
    if as_json:
        click.echo(json.dumps([_json(found) for found in tokens], indent=2, ensure_ascii=False))
    else:
        Console().print(_table(tokens))


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, MAX_ID))
@one_line_errors
def revoke(token_id: int) -> None:
    """Revoke a token now."""
    if not use_database(lambda connection: revoke_token(connection, token_id)):
        raise click.ClickException(f"There is no token {token_id}.")
    click.echo(f"Token {token_id} is revoked.", err=True)


def _state(found: ApiToken) -> str:
    if found.revoked_at:
        return "revoked"
    return "expired" if found.expired else "valid"


def _json(found: ApiToken) -> dict[str, Any]:
    times = {
        "createdTime": found.created_at,
        "expiresTime": found.expires_at,
        "revokedTime": found.revoked_at,
        "lastUsedTime": found.last_used_at,
    }
    return {
        "id": found.id,
        "userName": found.user_name,
        "role": found.role.value,
        "state": _state(found),
        **{name: rfc3339(time) if time else None for name, time in times.items()},
    }


def _table(tokens: list[ApiToken]) -> Table:
    table = Table("ID", "User", "Role", "State", "Created", "Expires", "Last used")
    for found in tokens:
        times = (found.created_at, found.expires_at, found.last_used_at)
        shown = (time.strftime("%Y-%m-%d %H:%M") if time else "never" for time in times)
        table.add_row(str(found.id), found.user_name, found.role.value, _state(found), *shown)
    return table
