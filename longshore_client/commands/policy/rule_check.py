"""`longshore rules check`: which rule allows an import, or why none does."""

from collections.abc import Sequence

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.options import json_option
from longshore_client.commands.with_client import with_client
from longshore_client.resources.rules import RuleCheck
from longshore_client.terminal.output import hint_text, note, print_json, results
from longshore_client.terminal.tables import print_pairs


@click.command()
@click.argument("source")
@click.argument("target", required=False)
@click.option("--user", metavar="NAME", help="Ask for this user instead of yourself; needs an admin's token.")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="A group of this user; may be repeated.")
@json_option
def check(source: str, target: str | None, *, user: str | None, groups: Sequence[str], as_json: bool) -> int:
    """Say which rule allows the import of SOURCE, or why none does.

    SOURCE is a reference as for docker pull; TARGET is PROJECT/REPOSITORY:TAG, by default the one that the API would
    choose. Neither the source nor the target is asked, so images that do not exist yet can be checked; `longshore
    import --dry-run` asks both.
    """
    if groups and not user:
        raise click.UsageError("--group needs --user: your own groups are in your token.")

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await client.check_rules(source, target, user=user, groups=groups)
        if as_json:
            print_json(found.raw)
        else:
            _print(found)
        return ExitCode.DONE if found.allowed else ExitCode.DENIED

    return with_client(operation)


def _print(found: RuleCheck) -> None:
    print_pairs(results(), [("Source", found.source), ("Target", found.target), ("Allowed", _outcome(found))])
    for other in found.rules:
        note(f"  {other.name} (rule {other.id}): {other.reason}")
    if found.code:
        note(f"hint:  {hint_text(found.code, found.hint)}")
        note(f"       {found.code}")


def _outcome(found: RuleCheck) -> str:
    if not found.allowed:
        return f"no: {found.message}"
    return f"yes: {found.message}"
