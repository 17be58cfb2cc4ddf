"""`longshore delete`: explains the effects, asks for confirmation, and deletes."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from longshore_client.client import LongshoreClient
from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.image_key import find_image
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ApiError, ClientError
from longshore_client.images import FullImage, Image, ImageQuery
from longshore_client.terminal.figures import short_digest, size
from longshore_client.terminal.output import note, print_error

# Tags with the same digest that the explanation names.
MAX_NAMED = 5
# How long the command waits for a deletion that the API continues, and the pause between its requests. Seconds.
DELETION_SECONDS = 60.0
POLL_SECONDS = 1.0
_UNFINISHED = "deletion_unfinished"
_NOT_FOUND = "image_not_found"
_OPEN = frozenset({"queued", "waiting", "running"})
_REMOVED = {
    "manifest": "tag and manifest are gone from the target",
    "tag": "the tag is gone from the target; its manifest is still needed there",
    "nothing": "the target did not have it",
}


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="ID|NAME...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
def delete(images: Sequence[str], *, yes: bool) -> int:
    """Delete images from Longshore and from the target.

    Explains the effects and asks for confirmation.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal for a confirmation; --yes deletes without one.")

    async def operation(client: LongshoreClient) -> ExitCode:
        found = [await find_image(client, key) for key in images]
        deleted = {image.id for image in found}
        for image in found:
            await _explain(client, image, deleted)
        if not yes and not click.confirm(f"Delete {_these(len(found))}?", err=True):
            note("Nothing was deleted.")
            return ExitCode.FAILED
        return await _delete(client, found)

    return with_client(operation)


async def _delete(client: LongshoreClient, images: Sequence[FullImage]) -> ExitCode:
    status = ExitCode.DONE
    for image in images:
        try:
            removed = await _delete_one(client, image)
            note(f"Deleted {image.name}: {_REMOVED.get(removed, 'it is gone')}.")
        except ClientError as error:
            note(f"Not deleted: {image.name}")
            print_error(error)
            status = exit_code_of(error)
    return status


async def _delete_one(client: LongshoreClient, image: FullImage) -> str:
    """Delete an image and return the removed part; wait for the API if it continues with a slow target."""
    try:
        return await client.delete(image.id)
    except ApiError as error:
        if error.code != _UNFINISHED or not await _wait_until_gone(client, image.id):
            raise
        return ""


async def _wait_until_gone(client: LongshoreClient, image_id: int) -> bool:
    """Return whether the API completes a deletion within DELETION_SECONDS."""
    with suppress(TimeoutError):
        async with asyncio.timeout(DELETION_SECONDS):
            while True:
                try:
                    await client.image(image_id)
                except ApiError as error:
                    if error.code == _NOT_FOUND:
                        return True
                    raise
                await asyncio.sleep(POLL_SECONDS)
    return False


async def _explain(client: LongshoreClient, image: FullImage, deleted: set[int]) -> None:
    """Print the image, and the effects of its deletion on other tags."""
    known = f", {size(image.size)}, sha256:{short_digest(image.digest)}" if image.digest else ""
    note(f"{image.name}: image {image.id} of {image.user}, {image.status}{known}", style="bold")
    if image.state in _OPEN:
        note("  Its import is under way; the API cancels it first.")
    if not image.digest:
        return
    others = [other for other in await _siblings(client, image) if other.id not in deleted]
    if others:
        names = ", ".join(f"{other.tag} (image {other.id})" for other in others[:MAX_NAMED])
        more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
        note(f"  The same digest in this repository: {names}{more}. They stay, so only the tag is deleted.")
    else:
        note("  No other managed tag of this repository has its digest: the manifest is deleted, too, unless a tag")
        note("  that Longshore does not manage needs it.")


async def _siblings(client: LongshoreClient, image: Image) -> Sequence[Image]:
    """Return the other images with the same digest in the same repository; other repositories share only blobs."""
    query = ImageQuery(tag=f"{image.repository}:", ready=True)
    return [
        other
        async for other in client.images(query)
        if other.id != image.id
        and (other.registry_host, other.repository) == (image.registry_host, image.repository)
        and other.digest == image.digest
    ]


def _these(count: int) -> str:
    return "this image" if count == 1 else f"these {count} images"
