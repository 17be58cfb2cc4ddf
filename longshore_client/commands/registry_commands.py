"""`longshore registries`: accounts of source registries that the API keeps."""

from collections.abc import Mapping

import click

from longshore_client.account import Account
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option, read_secret
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ApiError, Problem
from longshore_client.longshore_client import LongshoreClient
from longshore_client.stored_registry import StoredRegistry
from longshore_client.terminal.output import note, print_json, results
from longshore_client.terminal.tables import Column, print_table

_COLUMNS = (
    Column(title="ID", justify="right", whole=True),
    Column(title="NAME"),
    Column(title="ADDRESS"),
    Column(title="ACCOUNT"),
    Column(title="DEFAULT", whole=True),
    Column(title="USER", least=90),
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def registries(context: click.Context, *, as_json: bool) -> int | None:
    """List stored source registries.

    Admins add, change and delete them. An import from a stored registry uses its account by itself, or by name
    with --registry.
    """
    if context.invoked_subcommand:
        return None

    async def use(client: LongshoreClient) -> ExitCode:
        found = await client.registries()
        if as_json:
            print_json([registry.raw for registry in found])
        elif found:
            print_table(results(), _COLUMNS, [_row(registry) for registry in found])
        else:
            note("No registries are stored.")
        return ExitCode.DONE

    return with_client(use)


@registries.command()
@click.argument("name")
@click.argument("url")
@click.option("--username", metavar="NAME", help="The account; its password is asked for.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@click.option("--default", is_flag=True, help="Mean this registry where a source names none.")
def add(name: str, url: str, *, username: str | None, password_stdin: bool, default: bool) -> int:
    """Store the registry at URL under NAME."""
    if password_stdin and not username:
        raise click.UsageError("--password-stdin needs --username.")
    password = read_secret("Password", from_stdin=password_stdin) if username else ""
    account = Account(username=username, password=password) if username else None

    async def use(client: LongshoreClient) -> ExitCode:
        stored = await client.add_registry(name, url, account=account, default=default)
        note(f"Stored: {stored.name}, {stored.url}")
        return ExitCode.DONE

    return with_client(use)


@registries.command()
@click.argument("name")
@click.option("--rename", metavar="NAME", help="Another name.")
@click.option("--url", help="Another address; it needs the account anew.")
@click.option("--username", metavar="NAME", help="Another account; its password is asked for.")
@click.option("--password", "new_password", is_flag=True, help="Ask for a new password of the same account.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@click.option("--no-account", is_flag=True, help="Forget the account.")
@click.option("--default/--no-default", default=None, help="Whether it is meant where a source names no registry.")
def change(
    name: str,
    *,
    username: str | None,
    new_password: bool,
    password_stdin: bool,
    no_account: bool,
    rename: str | None,
    url: str | None,
    default: bool | None,
) -> int:
    """Change what is stored under NAME."""
    plain = {"name": rename, "url": url, "isDefault": default}
    changes: dict[str, object] = {key: value for key, value in plain.items() if value is not None}
    changes |= {"username": None, "password": None} if no_account else {}
    if username or new_password or password_stdin:
        changes |= {"username": username} if username else {}
        changes["password"] = read_secret("Password", from_stdin=password_stdin)
    if not changes:
        raise click.UsageError("Say what is to be changed; --help lists it.")
    return with_client(lambda client: _change(client, name, changes))


@registries.command()
@click.argument("name")
def delete(name: str) -> int:
    """Forget the registry stored under NAME, with its account. Imports that have begun keep theirs."""

    async def use(client: LongshoreClient) -> ExitCode:
        await client.delete_registry((await _find(client, name)).id)
        note(f"Forgotten: {name}")
        return ExitCode.DONE

    return with_client(use)


async def _change(client: LongshoreClient, name: str, changes: Mapping[str, object]) -> ExitCode:
    found = await _find(client, name)
    stored = await client.change_registry(found.id, **changes)
    note(f"Changed: {stored.name}, {stored.url}")
    return ExitCode.DONE


async def _find(client: LongshoreClient, name: str) -> StoredRegistry:
    for registry in await client.registries():
        if registry.name == name:
            return registry
    raise ApiError(
        Problem(
            status=404,
            code="registry_not_found",
            title="There is no stored registry of this name",
            detail=f"No registry is stored under the name {name}.",
            hint="`longshore registries` lists them.",
        )
    )


def _row(registry: StoredRegistry) -> tuple[str, ...]:
    default = "yes" if registry.default else ""
    return (str(registry.id), registry.name, registry.url, registry.username or "", default, registry.user)
