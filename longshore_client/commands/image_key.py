"""Finds an image by an id, or by a part of its name that no other image has."""

from longshore_client.client import LongshoreClient
from longshore_client.errors import ApiError, Problem
from longshore_client.images import FullImage, Image, ImageQuery

# Candidates that the error for an ambiguous name lists.
MAX_NAMED = 5


async def find_image(client: LongshoreClient, key: str) -> FullImage:
    """Return the image with this id or name; the first parts of the name may be left out.

    Raises the ApiErrors `image_not_found` and `image_ambiguous`; the second one is the command's own.
    """
    if key.isascii() and key.isdecimal():
        return await client.image(int(key))
    found = await _find_by_name(client, key)
    if len(found) == 1:
        return await client.image(found[0].id)
    if found:
        names = ", ".join(f"{image.name} ({image.id})" for image in found[:MAX_NAMED])
        raise _error("image_ambiguous", f"{key} matches several images: {names}.")
    raise _error("image_not_found", f"There is no image {key}.")


async def _find_by_name(client: LongshoreClient, key: str) -> list[Image]:
    """Return the image with exactly this name, or else those whose names end with it."""
    listed: list[Image] = []
    # A full reference starts with a host, which the filter of the list does not match.
    for text in filter(None, (key, key.partition("/")[2])):
        listed = listed or [image async for image in client.images(ImageQuery(tag=text))]
    exact = [image for image in listed if key in (image.name, image.reference)]
    return exact or [image for image in listed if image.name.endswith(f"/{key}")]


def _error(code: str, detail: str) -> ApiError:
    hint = "Name it by its id, or by repository:tag; `longshore images` lists both."
    return ApiError(Problem(status=404, code=code, title="Which image?", detail=detail, hint=hint))
