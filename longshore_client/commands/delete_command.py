"""`longshore delete`: says what goes and what stays, asks, and deletes."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from longshore_client.commands.exit_codes import ExitCode, exit_code_of
from longshore_client.commands.image_key import find_image
from longshore_client.commands.with_client import with_client
from longshore_client.errors import ApiError, ClientError
from longshore_client.image import FullImage, Image
from longshore_client.image_query import ImageQuery
from longshore_client.longshore_client import LongshoreClient
from longshore_client.terminal.figures import short_digest, size
from longshore_client.terminal.output import note, tell_error

# Names of others at the same digest that are worth reading.
NAMED = 5
# What a person waits for a deletion that the API goes on with, and how often it is looked for. Seconds.
GONE_SECONDS = 60.0
LOOK_SECONDS = 1.0
_UNFINISHED = "deletion_unfinished"
_UNKNOWN = "image_not_found"
_OPEN = frozenset({"queued", "waiting", "running"})
_REMOVED = {
    "manifest": "tag and manifest are gone from the target",
    "tag": "the tag is gone from the target; what it pointed to is still needed there",
    "nothing": "the target had nothing of it",
}


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="ID|NAME...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(images: Sequence[str], *, yes: bool) -> int:
    """Delete images, here and in the target.

    Asks first, and says what stays.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at; --yes deletes without asking.")

    async def use(client: LongshoreClient) -> ExitCode:
        found = [await find_image(client, key) for key in images]
        going = {image.id for image in found}
        for image in found:
            await _explain(client, image, going)
        if not yes and not click.confirm(f"Delete {_number(len(found))}?", err=True):
            note("Nothing was deleted.")
            return ExitCode.FAILED
        return await _delete(client, found)

    return with_client(use)


async def _delete(client: LongshoreClient, images: Sequence[FullImage]) -> ExitCode:
    worst = ExitCode.DONE
    for image in images:
        try:
            removed = await _delete_one(client, image)
            note(f"Deleted {image.name}: {_REMOVED.get(removed, 'it is gone')}.")
        except ClientError as error:
            note(f"Not deleted: {image.name}")
            tell_error(error)
            worst = exit_code_of(error)
    return worst


async def _delete_one(client: LongshoreClient, image: FullImage) -> str:
    """Delete an image; a slow target's part goes on by itself, and is waited for."""
    try:
        return await client.delete(image.id)
    except ApiError as error:
        if error.code != _UNFINISHED or not await _is_gone(client, image.id):
            raise
        return ""


async def _is_gone(client: LongshoreClient, image_id: int) -> bool:
    """Tell whether an image that is being deleted goes within the time that a person waits."""
    with suppress(TimeoutError):
        async with asyncio.timeout(GONE_SECONDS):
            while True:
                try:
                    await client.image(image_id)
                except ApiError as error:
                    if error.code == _UNKNOWN:
                        return True
                    raise
                await asyncio.sleep(LOOK_SECONDS)
    return False


async def _explain(client: LongshoreClient, image: FullImage, going: set[int]) -> None:
    """Say what the image is, and what its deletion means for others."""
    known = f", {size(image.size)}, sha256:{short_digest(image.digest)}" if image.digest else ""
    note(f"{image.name}: image {image.id} of {image.user}, {image.status}{known}", style="bold")
    if image.state in _OPEN:
        note("  Its import is under way, and is stopped first.")
    if not image.digest:
        return
    others = [other for other in await _siblings(client, image) if other.id not in going]
    if others:
        names = ", ".join(f"{other.tag} (image {other.id})" for other in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        note(f"  The same digest in this repository: {names}{more}. They stay, so only the tag goes.")
    else:
        note("  No other managed tag of this repository has its digest: the manifest goes too, unless a tag that")
        note("  somebody else made there needs it.")


async def _siblings(client: LongshoreClient, image: Image) -> Sequence[Image]:
    """Return the other images at the same digest in the same repository; elsewhere, nothing is shared but blobs."""
    query = ImageQuery(tag=f"{image.repository}:", ready=True)
    return [
        other
        async for other in client.images(query)
        if other.id != image.id
        and (other.registry_host, other.repository) == (image.registry_host, image.repository)
        and other.digest == image.digest
    ]


def _number(count: int) -> str:
    return "this image" if count == 1 else f"these {count} images"
