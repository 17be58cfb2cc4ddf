"""`longshore watch`, `cancel` and `retry`: commands for existing imports."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Unpack

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.follow_import import FollowOptions
from longshore_client.commands.image_key import find_image
from longshore_client.commands.import_one import finish_import
from longshore_client.commands.interruption import InterruptedByUserError, Interruption
from longshore_client.commands.options import (
    CredentialsParameters,
    FollowParameters,
    cancel_option,
    credentials_options,
    follow_options,
    following_options,
    patience_option,
    read_credentials,
)
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ClientError
from longshore_client.images import FullImage
from longshore_client.import_request import StartedImport
from longshore_client.terminal.output import note, print_error, print_json_line


class _RetryParameters(CredentialsParameters, FollowParameters):
    """The options of `longshore retry`."""


@click.command()
@click.argument("image", metavar="ID|NAME")
@cancel_option
@click.option("--json", "as_json", is_flag=True, help="Print each change as a line of JSON.")
@patience_option
def watch(image: str, *, cancel_on_interrupt: bool, as_json: bool, patience: float) -> int:
    """Follow an import to its end.

    The command continues after a restart of the API.
    """
    options = FollowOptions(wait=True, cancel_on_interrupt=cancel_on_interrupt, as_json=as_json, retry_for=patience)

    async def operation(client: LongshoreClient) -> ExitCode:
        found = await find_image(client, image)
        interruption = Interruption()
        with interruption.handling_ctrl_c():
            if as_json:
                return await _print_changes(client, found, options, interruption)
            return await finish_import(client, found.source, _under_way(found), options, interruption)

    return with_client(operation)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="ID|NAME...")
def cancel(images: Sequence[str]) -> int:
    """Cancel imports.

    An image that was ready before stays ready.
    """

    async def operation(client: LongshoreClient) -> ExitCode:
        status = ExitCode.DONE
        for key in images:
            try:
                found = await find_image(client, key)
                await client.cancel(found.id)
                note(f"Cancelled: image {found.id}, {found.name}")
            except ClientError as error:
                print_error(error)
                status = exit_code_of(error)
        return status

    return with_client(operation)


@click.command()
@click.argument("image", metavar="ID|NAME")
@credentials_options
@following_options
def retry(image: str, **parameters: Unpack[_RetryParameters]) -> int:
    """Start a failed or cancelled import again.

    Then follow it to its end.
    """
    credentials = read_credentials(parameters)
    options = follow_options(parameters)

    async def operation(client: LongshoreClient) -> ExitCode:
        interruption = Interruption()
        with interruption.handling_ctrl_c():
            found = await find_image(client, image)
            started = await client.retry(found.id, credentials)
            return await finish_import(client, found.source, started, options, interruption)

    return with_client(operation)


def _under_way(image: FullImage) -> StartedImport:
    return StartedImport(image_id=image.id, name=image.import_name or "", already=False, message="")


async def _print_changes(
    client: LongshoreClient, image: FullImage, options: FollowOptions, interruption: Interruption
) -> ExitCode:
    async def follow() -> ExitCode:
        async with aclosing(client.watch(image.id, retry_for=options.retry_for, on_retry=print_error)) as updates:
            async for details in updates:
                print_json_line(details.raw)
                if details.final:
                    return ExitCode.DONE if details.ready else ExitCode.FAILED
        raise AssertionError("a watch ends with final details or an exception")

    try:
        return await interruption.run_until_requested(follow())
    except InterruptedByUserError:
        if options.cancel_on_interrupt:
            print_json_line((await client.cancel_and_wait(image.id)).raw)
        return ExitCode.INTERRUPTED
