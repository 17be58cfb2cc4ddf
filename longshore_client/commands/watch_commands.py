"""`longshore watch`, `cancel` and `retry`: imports that there are."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import click

from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.follow_import import Manner, cancel_for_good
from longshore_client.commands.image_key import find_image
from longshore_client.commands.import_one import finish_import
from longshore_client.commands.interruption import InterruptedByPersonError, Interruption
from longshore_client.commands.options import credentials_of, credentials_options, following_options, manner_of
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ClientError
from longshore_client.image import FullImage
from longshore_client.longshore_client import LongshoreClient
from longshore_client.patience import DEFAULT_SECONDS
from longshore_client.started_import import StartedImport
from longshore_client.terminal.output import note, print_line, tell_error


@click.command()
@click.argument("image", metavar="ID|NAME")
@click.option("--cancel-on-interrupt", is_flag=True, help="Ctrl-C cancels; else it leaves the import alone.")
@click.option("--json", "as_json", is_flag=True, help="Print each change as a line of JSON.")
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=DEFAULT_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long the API may be away.",
)
def watch(image: str, *, cancel_on_interrupt: bool, as_json: bool, patience: float) -> int:
    """Follow an import to its end.

    Restarts of the API do not end it.
    """
    manner = Manner(wait=True, cancel=cancel_on_interrupt, as_json=as_json, patience=patience)

    async def use(client: LongshoreClient) -> ExitCode:
        found = await find_image(client, image)
        interruption = Interruption()
        with interruption.listening():
            if as_json:
                return await _print_changes(client, found, manner, interruption)
            return await finish_import(client, found.source, _under_way(found), manner, interruption)

    return with_client(use)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="ID|NAME...")
def cancel(images: Sequence[str]) -> int:
    """End imports.

    An image that was ready before stays so.
    """

    async def use(client: LongshoreClient) -> ExitCode:
        worst = ExitCode.DONE
        for key in images:
            try:
                found = await find_image(client, key)
                await client.cancel(found.id)
                note(f"Cancelled: image {found.id}, {found.name}")
            except ClientError as error:
                tell_error(error)
                worst = exit_code_of(error)
        return worst

    return with_client(use)


@click.command()
@click.argument("image", metavar="ID|NAME")
@credentials_options
@following_options
def retry(image: str, **options: Any) -> int:
    """Try a failed import once more.

    Or a cancelled one; and follow it.
    """
    account = ("registry", "username", "password_stdin")
    credentials = credentials_of(**{name: options.pop(name) for name in account})
    manner = manner_of(**options)

    async def use(client: LongshoreClient) -> ExitCode:
        interruption = Interruption()
        with interruption.listening():
            found = await find_image(client, image)
            started = await client.retry(found.id, credentials)
            return await finish_import(client, found.source, started, manner, interruption)

    return with_client(use)


def _under_way(image: FullImage) -> StartedImport:
    return StartedImport(image_id=image.id, name=image.import_name or "", already=False, message="")


async def _print_changes(
    client: LongshoreClient, image: FullImage, manner: Manner, interruption: Interruption
) -> ExitCode:
    async def follow() -> ExitCode:
        async with aclosing(client.watch(image.id, patience=manner.patience, trouble=tell_error)) as news:
            async for details in news:
                print_line(details.raw)
                if details.final:
                    return ExitCode.DONE if details.ready else ExitCode.FAILED
        raise AssertionError("a watch ends with final details or an exception")

    try:
        return await interruption.race(follow())
    except InterruptedByPersonError:
        if manner.cancel:
            print_line((await cancel_for_good(client, image.id)).raw)
        return ExitCode.INTERRUPTED
