"""`longshore registries`: source registries whose accounts the API stores."""

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option, password_stdin_option, read_secret
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ApiError, Problem
from longshore_client.import_request import Account
from longshore_client.registries import RegistryChanges, StoredRegistry
from longshore_client.terminal.output import note, print_json, results
from longshore_client.terminal.tables import Column, print_table

_COLUMNS = (
    Column(title="ID", justify="right", no_wrap=True),
    Column(title="NAME"),
    Column(title="ADDRESS"),
    Column(title="ACCOUNT"),
    Column(title="DEFAULT", no_wrap=True),
    Column(title="USER", min_width=90),
)


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def registries(context: click.Context, *, as_json: bool) -> int | None:
    """List stored source registries.

    Admins add, change and delete them. Imports from a stored registry use its account, also without --registry.
    """
    if context.invoked_subcommand:
        return None

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await client.registries()
        if as_json:
            print_json([registry.raw for registry in found])
        elif found:
            print_table(results(), _COLUMNS, [_row(registry) for registry in found])
        else:
            note("No registries are stored.")
        return ExitCode.DONE

    return with_client(operation)


@registries.command()
@click.argument("name")
@click.argument("url")
@click.option("--username", metavar="NAME", help="The account; the command asks for its password.")
@password_stdin_option
@click.option("--default", is_flag=True, help="Use this registry for sources that name none.")
def add(name: str, url: str, *, username: str | None, password_stdin: bool, default: bool) -> int:
    """Store the registry at URL under NAME."""
    if password_stdin and not username:
        raise click.UsageError("--password-stdin needs --username.")
    password = read_secret("Password", from_stdin=password_stdin) if username else ""
    account = Account(username=username, password=password) if username else None

    async def operation(client: LongshoreClient) -> ExitCode:
        stored = await client.add_registry(name, url, account=account, default=default)
        note(f"Stored: {stored.name}, {stored.url}")
        return ExitCode.DONE

    return with_client(operation)


@registries.command()
@click.argument("name")
@click.option("--rename", metavar="NAME", help="The new name.")
@click.option("--url", help="The new address; needs the account again.")
@click.option("--username", metavar="NAME", help="The new account; the command asks for its password.")
@click.option("--password", "new_password", is_flag=True, help="Ask for a new password of the same account.")
@password_stdin_option
@click.option("--no-account", is_flag=True, help="Delete the account.")
@click.option("--default/--no-default", default=None, help="Whether to use it for sources that name no registry.")
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
    """Change the registry stored under NAME."""
    changes = RegistryChanges()
    if rename is not None:
        changes["name"] = rename
    if url is not None:
        changes["url"] = url
    if default is not None:
        changes["default"] = default
    if no_account:
        changes["username"] = changes["password"] = None
    if username:
        changes["username"] = username
    if username or new_password or password_stdin:
        changes["password"] = read_secret("Password", from_stdin=password_stdin)
    if not changes:
        raise click.UsageError("Name a change; --help lists the options.")
    return with_client(lambda client: _change(client, name, changes))


@registries.command()
@click.argument("name")
def delete(name: str) -> int:
    """Delete the registry stored under NAME with its account. Imports under way keep theirs."""

    async def operation(client: LongshoreClient) -> ExitCode:
        await client.delete_registry((await _find(client, name)).id)
        note(f"Deleted: {name}")
        return ExitCode.DONE

    return with_client(operation)


async def _change(client: LongshoreClient, name: str, changes: RegistryChanges) -> ExitCode:
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
            title="No registry is stored under this name",
            detail=f"No registry is stored under the name {name}.",
            hint="`longshore registries` lists them.",
        )
    )


def _row(registry: StoredRegistry) -> tuple[str, ...]:
    default = "yes" if registry.default else ""
    return (str(registry.id), registry.name, registry.url, registry.username or "", default, registry.user)
