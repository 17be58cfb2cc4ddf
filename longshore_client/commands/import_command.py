"""`longshore import`."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TextIO, Unpack

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode
from longshore_client.commands.follow_import import FollowOptions
from longshore_client.commands.import_many import import_many
from longshore_client.commands.import_one import import_one
from longshore_client.commands.options import (
    CredentialsParameters,
    FollowParameters,
    credentials_options,
    follow_options,
    following_options,
    read_credentials,
)
from longshore_client.commands.plan import plan_many, plan_one
from longshore_client.commands.with_client import with_client
from longshore_client.import_request import ImportRequest

_MAX_WORDS = 2


class _Parameters(CredentialsParameters, FollowParameters):
    """The options of the command, but for those that say what to import and whether."""

    target: str | None
    platforms: tuple[str, ...]
    description: str | None
    force: bool
    referrers: bool | None


def _platforms(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


@click.command(name="import")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option("-f", "--file", "listed", type=click.File(), help="Read lines of `SOURCE [TARGET]`; - is stdin.")
@click.option("--target", metavar="PROJECT/REPOSITORY:TAG", help="Import to this tag; by default the API chooses one.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    callback=_platforms,
    metavar="OS/ARCH[/VARIANT]",
    help="Import only this platform; may be repeated. By default, all platforms.",
)
@click.option("--description", help="A text to find the image by.")
@click.option(
    "--force",
    is_flag=True,
    help="Import an image again even if it is ready, and replace a tag that Longshore did not write if a rule allows "
    "that.",
)
@click.option(
    "--referrers/--no-referrers", default=None, help="Whether to import signatures, SBOMs and other artifacts, too."
)
@click.option("--dry-run", is_flag=True, help="Print the effects of the import; do nothing.")
@credentials_options
@following_options
def import_images(
    sources: Sequence[str], listed: TextIO | None, *, dry_run: bool, **parameters: Unpack[_Parameters]
) -> int:
    """Import images and show their progress.

    SOURCE is a reference as for docker pull. Prints the reference to pull, or the image's id with --no-wait. Ctrl-C
    ends the command and lets the import continue; with --cancel-on-interrupt it cancels the import. A second Ctrl-C
    ends the command at once.

    An import needs a rule that allows it (`longshore rules list`), unless you are an admin. --force is needed in two
    cases: the image is ready already, as after its source tag has moved; or the target's tag was written by another
    tool. The second case also needs a rule that grants it, also when you are the owner of the image.
    """
    options = follow_options(parameters)
    many = listed is not None or len(sources) > 1
    requests = _requests(sources, listed, parameters)

    async def operation(client: LongshoreClient) -> ExitCode:
        if dry_run:
            return await _plan(client, requests, many=many, as_json=options.as_json)
        return await _import(client, requests, options, many=many)

    return with_client(operation)


def _requests(sources: Sequence[str], listed: TextIO | None, parameters: _Parameters) -> Sequence[ImportRequest]:
    if parameters["password_stdin"] and listed is not None and listed.name == "<stdin>":
        raise click.UsageError("stdin is the list; it cannot have the password, too.")
    pattern = ImportRequest(
        source="",
        target=parameters["target"],
        platforms=parameters["platforms"],
        credentials=read_credentials(parameters),
        description=parameters["description"],
        force=parameters["force"],
        referrers=parameters["referrers"],
    )
    try:
        requests = [*(replace(pattern, source=source) for source in sources), *_read_list(listed or (), pattern)]
    except ValueError as error:
        raise click.UsageError(f"The list cannot be read: {error}.") from None
    if not requests:
        raise click.UsageError("Name a SOURCE, or a list with -f.")
    if pattern.target and len(requests) > 1:
        raise click.UsageError("--target is for one image; in a list, a line may be SOURCE TARGET.")
    return requests


def _read_list(lines: Iterable[str], pattern: ImportRequest) -> Sequence[ImportRequest]:
    """Return a request for each line of `SOURCE [TARGET]`; `#` starts a comment. Raises ValueError with the line."""
    requests = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if len(words) > _MAX_WORDS:
            raise ValueError(f"line {number}: a line is SOURCE or SOURCE TARGET")
        if words:
            source, *target = words
            requests.append(replace(pattern, source=source, target=target[0] if target else pattern.target))
    return requests


async def _plan(client: LongshoreClient, requests: Sequence[ImportRequest], *, many: bool, as_json: bool) -> ExitCode:
    if many:
        return await plan_many(client, requests, as_json=as_json)
    return await plan_one(client, requests[0], as_json=as_json)


async def _import(
    client: LongshoreClient, requests: Sequence[ImportRequest], options: FollowOptions, *, many: bool
) -> ExitCode:
    if many:
        return await import_many(client, requests, options)
    return await import_one(client, requests[0], options)
