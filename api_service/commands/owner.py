"""`longshore-api owner`: gives the images of users who were known by name to the same users at their issuer."""

import json

import click
from rich.console import Console
from rich.table import Table

from api_service.auth.identity import MAX_SUBJECT_LENGTH
from api_service.commands.common import one_line_errors, record, use_database
from api_service.settings import read_oidc_issuer
from shared.db.access.owners import Holdings, count_holdings, list_holdings, move_holdings
from shared.db.database import Connection
from shared.model.owner import LONGSHORE, Owner


@click.group()
def owner() -> None:
    """The owners of images, open imports and tokens.

    An owner is an issuer and a subject. Users that only API tokens name have no issuer; so have the images that users
    of an identity provider imported with an older release, or with OIDC_USER_CLAIM.
    """


@owner.command(name="list")
@click.option("--all", "everybody", is_flag=True, help="List the owners of all issuers, not only those without one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@one_line_errors
def list_command(*, everybody: bool, as_json: bool) -> None:
    """List the owners without an issuer, and how much each of them has."""
    found = use_database(lambda connection: list_holdings(connection, None if everybody else LONGSHORE))
    if as_json:
        click.echo(json.dumps([_json(each) for each in found], indent=2, ensure_ascii=False))
        return
    table = Table("Issuer", "Subject", "Images", "Open imports", "Tokens")
    for each in found:
        numbers = (str(number) for number in (each.images, each.open_imports, each.tokens))
        table.add_row(each.owner.issuer, each.owner.subject, *numbers)
    Console().print(table)


def _subject(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.isprintable() or not 0 < len(value) <= MAX_SUBJECT_LENGTH:
        raise click.BadParameter(f"1 to {MAX_SUBJECT_LENGTH} printable characters")
    return value


@owner.command()
@click.argument("name", callback=_subject)
@click.argument("subject", callback=_subject)
@click.option("--from-issuer", default=LONGSHORE, help="The issuer of NAME. Default: none.")
@click.option("--to-issuer", help='The issuer of SUBJECT. Default: OIDC_ISSUER. "" is none.')
@click.option("--dry-run", is_flag=True, help="Show what would move, and change nothing.")
@one_line_errors
def move(name: str, subject: str, from_issuer: str, to_issuer: str | None, *, dry_run: bool) -> None:
    """Move the images, open imports and tokens of NAME to SUBJECT at its issuer.

    `GET /api/v1/whoami` shows a user's subject and issuer. Names in lists stay as they are. Import rules and access
    lists that name the user are not changed.
    """
    issuer = read_oidc_issuer() if to_issuer is None else to_issuer
    if to_issuer is None and not issuer:
        raise click.UsageError("--to-issuer is needed: OIDC_ISSUER is not set.")
    old, new = Owner(issuer=from_issuer, subject=name), Owner(issuer=issuer, subject=subject)
    if old == new:
        raise click.UsageError("Both are the same owner.")
    moved = use_database(lambda connection: _move(connection, old, new, dry_run=dry_run))
    if moved.is_empty:
        raise click.ClickException(f"{_shown(old)} has nothing.")
    verb = "would move" if dry_run else "moved"
    click.echo(
        f"{moved.images} images, {moved.open_imports} open imports and {moved.tokens} tokens {verb} "
        f"from {_shown(old)} to {_shown(new)}.",
        err=True,
    )


async def _move(connection: Connection, old: Owner, new: Owner, *, dry_run: bool) -> Holdings:
    if dry_run:
        return await count_holdings(connection, old)
    async with connection.transaction():
        moved = await move_holdings(connection, old, new)
        if not moved.is_empty:
            await record(connection, "command:moveOwner", f"{_shown(old)} to {_shown(new)}")
    return moved


def _shown(named: Owner) -> str:
    return f"{named.subject} at {named.issuer}" if named.issuer else f"{named.subject} without an issuer"


def _json(held: Holdings) -> dict[str, str | int]:
    return {
        "issuer": held.owner.issuer,
        "subject": held.owner.subject,
        "images": held.images,
        "openImports": held.open_imports,
        "tokens": held.tokens,
    }
