"""`longshore registries`: source registries whose accounts the API stores."""

from typing import Unpack

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option, password_stdin_option, read_secret
from longshore_client.commands.policy.access_options import (
    AccessParameters,
    access_options,
    access_text,
    changed_access,
    names_access,
    new_access,
)
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ApiError, Problem
from longshore_client.import_request import Account
from longshore_client.resources.registries import RegistryChanges, StoredRegistry
from longshore_client.terminal.output import note, print_json, results
from longshore_client.terminal.tables import Column, print_table

_COLUMNS = (
    Column(title="ID", justify="right", no_wrap=True),
    Column(title="NAME"),
    Column(title="ADDRESS"),
    Column(title="ACCOUNT"),
    Column(title="DEFAULT", no_wrap=True),
    Column(title="ACCESS", min_width=90),
    Column(title="USER", min_width=90),
)

_STEPS = {"reach": "connect", "signIn": "sign in", "answer": "answer as a registry"}


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def registries(context: click.Context, *, as_json: bool) -> int | None:
    """List stored source registries.

    Admins add, change, test and delete them. Imports from a stored registry use its account, also without --registry,
    if its access list has the user, the repository and the target; without a list, admins alone use it.
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
@access_options
def add(
    name: str,
    url: str,
    *,
    username: str | None,
    password_stdin: bool,
    default: bool,
    **access: Unpack[AccessParameters],
) -> int:
    """Store the registry at URL under NAME.

    Without --access options, admins alone use its account.
    """
    allowed = new_access(access)
    if password_stdin and not username:
        raise click.UsageError("--password-stdin needs --username.")
    password = read_secret("Password", from_stdin=password_stdin) if username else ""
    account = Account(username=username, password=password) if username else None

    async def operation(client: LongshoreClient) -> ExitCode:
        stored = await client.add_registry(name, url, account=account, default=default, access=allowed)
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
@access_options
@click.option("--no-access", is_flag=True, help="Delete the access list: admins alone use the account.")
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
    no_access: bool,
    **access: Unpack[AccessParameters],
) -> int:
    """Change the registry stored under NAME.

    Each --access option replaces its part of the access list.
    """
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
    if no_access:
        changes["access"] = None
    if not changes and not names_access(access):
        raise click.UsageError("Name a change; --help lists the options.")
    return with_client(lambda client: _change(client, name, changes, access))


@registries.command()
@click.argument("registry", metavar="ID|NAME")
@json_option
def test(registry: str, *, as_json: bool) -> int:
    """Connect to a stored registry and sign in with its account, now.

    For admins, and for users that may use the account.
    """

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await _find(client, registry)
        outcome = await client.test_registry(found.id)
        if as_json:
            print_json(outcome.raw)
        else:
            note(f"{'✔' if outcome.ok else '✘'} {found.name}, {found.url}: {outcome.message}")
            for step in outcome.steps:
                note(f"  {_STEPS.get(step.name, step.name)}: {step.result}")
            if outcome.code:
                note(f"  hint: {outcome.hint}")
                note(f"  code: {outcome.code}")
        return ExitCode.DONE if outcome.ok else ExitCode.FAILED

    return with_client(operation)


@registries.command()
@click.argument("name")
def delete(name: str) -> int:
    """Delete the registry stored under NAME with its account. Imports under way keep theirs."""

    async def operation(client: LongshoreClient) -> ExitCode:
        await client.delete_registry((await _find(client, name)).id)
        note(f"Deleted: {name}")
        return ExitCode.DONE

    return with_client(operation)


async def _change(client: LongshoreClient, name: str, changes: RegistryChanges, access: AccessParameters) -> ExitCode:
    found = await _find(client, name)
    if names_access(access):
        changes["access"] = changed_access(found.access, access)
    stored = await client.change_registry(found.id, **changes)
    note(f"Changed: {stored.name}, {stored.url}")
    return ExitCode.DONE


async def _find(client: LongshoreClient, name: str) -> StoredRegistry:
    stored = await client.registries()
    named = [registry for registry in stored if registry.name == name]
    for registry in named or [registry for registry in stored if str(registry.id) == name]:
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
    access = access_text(registry.access) if registry.has_account else ""
    account = registry.username or ("not for you" if registry.has_account else "")
    return (str(registry.id), registry.name, registry.url, account, default, access, registry.user)
