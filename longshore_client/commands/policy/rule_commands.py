"""`longshore rules`: import rules."""

import sys
from collections.abc import Sequence
from typing import Literal, Unpack

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option
from longshore_client.commands.policy.rule_check import check
from longshore_client.commands.policy.rule_options import RuleParameters, read_rule, rule_options
from longshore_client.commands.policy.rule_texts import print_rule, print_rules
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ApiError, Problem
from longshore_client.resources.rules import ImportRule, RuleChanges
from longshore_client.terminal.output import note, print_json

_NEEDED = (
    ("subjects", "--user, --group or --everybody"),
    ("sources", "--source"),
    ("targets", "--target"),
)
_LISTS: Sequence[Literal["subjects", "sources", "targets"]] = ("subjects", "sources", "targets")


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def rules(context: click.Context, *, as_json: bool) -> int | None:
    """List and manage the rules for imports.

    A rule lets users import from some sources to some targets, within its limits. What no rule allows is
    refused. Admins create, change and delete rules, and need none for their own
    imports. Users see the rules that apply to them, and what is left of the limits.
    """
    return None if context.invoked_subcommand else with_client(lambda client: _list(client, as_json=as_json))


@rules.command(name="list")
@json_option
def list_rules(*, as_json: bool) -> int:
    """List the rules; to users, those that apply to them."""
    return with_client(lambda client: _list(client, as_json=as_json))


@rules.command()
@click.argument("rule", metavar="ID|NAME")
@json_option
def show(rule: str, *, as_json: bool) -> int:
    """Show one rule, with each pattern in a line."""

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await _find(client, rule)
        if as_json:
            print_json(found.raw)
        else:
            print_rule(found)
        return ExitCode.DONE

    return with_client(operation)


@rules.command()
@click.argument("name")
@rule_options
@json_option
def create(name: str, *, as_json: bool, **parameters: Unpack[RuleParameters]) -> int:
    """Create a rule. Needs users or groups, sources, and targets.

    In patterns, `*` stands for characters within a part between slashes, `**` for any number of parts. Quote patterns,
    so that the shell does not replace the stars.
    """
    fields = read_rule(parameters)
    for field, option in _NEEDED:
        if field not in fields:
            raise click.UsageError(f"A rule needs {option}.")
    fields["name"] = name

    async def operation(client: LongshoreClient) -> ExitCode:
        created = await client.create_rule(**fields)
        _report("Created", created, as_json=as_json)
        return ExitCode.DONE

    return with_client(operation)


@rules.command()
@click.argument("rule", metavar="ID|NAME")
@click.option("--rename", metavar="NAME", help="The new name.")
@click.option(
    "--add", "how", flag_value="add", help="Add the given users, groups, sources and targets; otherwise they replace."
)
@click.option("--remove", "how", flag_value="remove", help="Remove the given users, groups, sources and targets.")
@rule_options
@json_option
def change(
    rule: str, *, rename: str | None, how: str | None, as_json: bool, **parameters: Unpack[RuleParameters]
) -> int:
    """Change a rule; what is not given stays.

    Imports that are queued are compared with the changed rule when a worker claims them.
    """
    changes = read_rule(parameters)
    if rename is not None:
        changes["name"] = rename
    if not changes:
        raise click.UsageError("Name a change; --help lists the options.")

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await _find(client, rule)
        changed = await client.change_rule(found.id, **_combined(found, changes, how))
        _report("Changed", changed, as_json=as_json)
        return ExitCode.DONE

    return with_client(operation)


@rules.command()
@click.argument("rule", metavar="ID|NAME")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
def delete(rule: str, *, yes: bool) -> int:
    """Delete a rule. Imports that only this rule allowed and that are still queued end as refused."""
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal for a confirmation; --yes deletes without one.")

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await _find(client, rule)
        if not yes:
            print_rule(found)
            if not click.confirm("Delete this rule?", err=True):
                note("Nothing was deleted.")
                return ExitCode.FAILED
        await client.delete_rule(found.id)
        note(f"Deleted: {found.name}")
        return ExitCode.DONE

    return with_client(operation)


rules.add_command(check)


async def _list(client: LongshoreClient, *, as_json: bool) -> ExitCode:
    found = await client.rules()
    if as_json:
        print_json([rule.raw for rule in found])
    elif found:
        print_rules(found)
    else:
        note("No rule applies to you: ask an administrator for one." if not await _is_admin(client) else "No rules.")
    return ExitCode.DONE


async def _is_admin(client: LongshoreClient) -> bool:
    return (await client.whoami()).role == "admin"


def _combined(found: ImportRule, changes: RuleChanges, how: str | None) -> RuleChanges:
    """Return the changes with lists that are added to the rule's, or removed from them."""
    combined = RuleChanges(**changes)
    for name in _LISTS if how else ():
        if name not in changes:
            continue
        old, given = getattr(found, name), changes[name]
        if how == "add":
            combined[name] = list(dict.fromkeys((*old, *given)))
        elif missing := [each for each in given if each not in old]:
            raise click.UsageError(f"The rule has no {', '.join(missing)}; `longshore rules show` lists what it has.")
        else:
            combined[name] = [each for each in old if each not in given]
    return combined


async def _find(client: LongshoreClient, key: str) -> ImportRule:
    """Return the rule with this id or name; a name that is a number comes first."""
    found = await client.rules()
    for rule in (*(rule for rule in found if rule.name == key), *(rule for rule in found if str(rule.id) == key)):
        return rule
    raise ApiError(
        Problem(
            status=404,
            code="rule_not_found",
            title="There is no such import rule",
            detail=f"There is no import rule {key}.",
            hint="`longshore rules list` lists them.",
        )
    )


def _report(verb: str, rule: ImportRule, *, as_json: bool) -> None:
    if as_json:
        print_json(rule.raw)
    else:
        note(f"{verb}: {rule.name}, rule {rule.id}")
