"""`longshore-api token`: creates, lists and revokes API tokens."""

import json

import click
from rich.console import Console
from rich.table import Table

from api_service.auth.identity import MAX_GROUP_LENGTH, MAX_GROUPS, MAX_USER_LENGTH
from api_service.commands.common import one_line_errors, record, use_database
from api_service.settings import read_token_days
from api_service.tokens.answers import token_json
from api_service.tokens.api_tokens import DAY, MAX_DAYS
from shared.db.access.tokens import ApiToken, CreatedToken, NewToken, insert_token, list_tokens, revoke_token
from shared.db.database import Connection
from shared.model.owner import Owner
from shared.model.roles import Role

# PostgreSQL's bigint.
MAX_ID = 2**63 - 1


@click.group()
def token() -> None:
    """API tokens, with which clients and workers authenticate."""


def _user(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip() or value != value.strip() or len(value) > MAX_USER_LENGTH or not value.isprintable():
        raise click.BadParameter(f"1 to {MAX_USER_LENGTH} printable characters, no blanks at the ends")
    return value


def _groups(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    if len(values) > MAX_GROUPS or not all(0 < len(each) <= MAX_GROUP_LENGTH and each.isprintable() for each in values):
        raise click.BadParameter(f"at most {MAX_GROUPS}, each of 1 to {MAX_GROUP_LENGTH} printable characters")
    return frozenset(values)


@token.command()
@click.option("--user", required=True, callback=_user, help="The token's user.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="The token's role.")
@click.option("--group", "groups", multiple=True, callback=_groups, help="A group of the user; may be repeated.")
@click.option(
    "--expires-in-days", "days", type=click.IntRange(1, MAX_DAYS), help="Default: API_TOKEN_DAYS, which is 90 days."
)
@click.option("--never-expires", is_flag=True, help="The token is valid until it is revoked.")
@one_line_errors
def create(user: str, role: str, groups: frozenset[str], days: int | None, *, never_expires: bool) -> None:
    """Create a token and print it; it is not shown again."""
    if never_expires and days:
        raise click.UsageError("--never-expires and --expires-in-days exclude each other.")
    lifetime = None if never_expires else (days or read_token_days()) * DAY
    new = NewToken(user=user, owner=Owner(subject=user), role=Role(role), lifetime=lifetime, groups=groups)
    created = use_database(lambda connection: _create(connection, new))
    click.echo(created.secret)
    ends = created.token.expires_at
    until = f"valid until {ends:%Y-%m-%d}" if ends else "valid until it is revoked"
    click.echo(f"A token for {user}, role {role}, {until}. Keep it now: only its hash is stored.", err=True)


@token.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_line_errors
def list_command(*, as_json: bool) -> None:
    """List the tokens, without their secrets."""
    tokens = use_database(list_tokens)
    if as_json:
        click.echo(json.dumps([token_json(found) for found in tokens], indent=2, ensure_ascii=False))
    else:
        Console().print(_table(tokens))


@token.command()
@click.argument("token_id", metavar="ID", type=click.IntRange(1, MAX_ID))
@one_line_errors
def revoke(token_id: int) -> None:
    """Revoke a token now, with those that its user created with it."""
    if not use_database(lambda connection: _revoke(connection, token_id)):
        raise click.ClickException(f"There is no token {token_id}.")
    click.echo(f"Token {token_id} is revoked.", err=True)


async def _create(connection: Connection, new: NewToken) -> CreatedToken:
    async with connection.transaction():
        created = await insert_token(connection, new)
        await record(connection, "command:createToken", str(created.token.id))
    return created


async def _revoke(connection: Connection, token_id: int) -> bool:
    async with connection.transaction():
        revoked = await revoke_token(connection, token_id)
        if revoked:
            await record(connection, "command:revokeToken", str(token_id))
    return revoked


def _table(tokens: list[ApiToken]) -> Table:
    table = Table("ID", "User", "Role", "State", "Created", "Expires", "Last used")
    for found in tokens:
        times = (found.created_at, found.expires_at, found.last_used_at)
        shown = (time.strftime("%Y-%m-%d %H:%M") if time else "never" for time in times)
        table.add_row(str(found.id), found.user_name, found.role.value, found.state.value, *shown)
    return table
