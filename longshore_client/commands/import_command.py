"""`longshore import`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TextIO

import click

from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.follow_import import Manner
from longshore_client.commands.import_list import read_list
from longshore_client.commands.import_many import import_many
from longshore_client.commands.import_one import import_one
from longshore_client.commands.options import credentials_of, credentials_options, following_options, manner_of
from longshore_client.commands.plan import plan_many, plan_one
from longshore_client.commands.with_client import with_client
from longshore_client.import_request import ImportRequest
from longshore_client.longshore_client import LongshoreClient


def _platforms(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


@click.command(name="import")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option("-f", "--file", "listed", type=click.File(), help="Read `SOURCE [TARGET]` lines; - is stdin.")
@click.option("--target", metavar="PROJECT/REPOSITORY:TAG", help="Where it goes; else the API chooses.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    callback=_platforms,
    metavar="OS/ARCH[/VARIANT]",
    help="Only this platform; may be repeated. Without it, all.",
)
@click.option("--description", help="A text to find the image by.")
@click.option("--force", is_flag=True, help="Import again what is there already, as after the source's tag has moved.")
@click.option(
    "--referrers/--no-referrers", default=None, help="Whether signatures, SBOMs and the like come along, too."
)
@click.option("--dry-run", is_flag=True, help="Say what it would mean, and do nothing.")
@credentials_options
@following_options
def import_images(sources: Sequence[str], listed: TextIO | None, *, dry_run: bool, **options: Any) -> int:
    """Import images, and show how far they are.

    SOURCE is as for docker pull. Prints the reference to pull, with --no-wait the image's id. Ctrl-C leaves the
    import to itself, or cancels it with --cancel-on-interrupt; once more ends at once.
    """
    manner = manner_of(**{name: options.pop(name) for name in _FOLLOWING})
    many = listed is not None or len(sources) > 1
    requests = _requests(sources, listed, options)

    async def use(client: LongshoreClient) -> ExitCode:
        return await _carry_out(client, requests, manner, many=many, dry_run=dry_run)

    return with_client(use)


_FOLLOWING = ("no_wait", "cancel_on_interrupt", "patience", "as_json")
_ACCOUNT = ("registry", "username", "password_stdin")


def _requests(sources: Sequence[str], listed: TextIO | None, options: dict[str, Any]) -> Sequence[ImportRequest]:
    if options["password_stdin"] and listed is not None and listed.name == "<stdin>":
        raise click.UsageError("stdin is the list; the password cannot be there, too.")
    credentials = credentials_of(**{name: options.pop(name) for name in _ACCOUNT})
    pattern = ImportRequest(source="", credentials=credentials, **options)
    try:
        requests = [*(replace(pattern, source=source) for source in sources), *read_list(listed or (), pattern)]
    except ValueError as error:
        raise click.UsageError(f"The list cannot be read: {error}.") from None
    if not requests:
        raise click.UsageError("Name a SOURCE, or a list with -f.")
    if pattern.target and len(requests) > 1:
        raise click.UsageError("--target is for one image; in a list, a line may be SOURCE TARGET.")
    return requests


async def _carry_out(
    client: LongshoreClient, requests: Sequence[ImportRequest], manner: Manner, *, many: bool, dry_run: bool
) -> ExitCode:
    if dry_run:
        if many:
            return await plan_many(client, requests, as_json=manner.as_json)
        return await plan_one(client, requests[0], as_json=manner.as_json)
    if many:
        return await import_many(client, requests, manner)
    return await import_one(client, requests[0], manner)
