"""An image as people name it on the command line: by id, or by as much of its name as makes it clear."""

from longshore_client.errors import ApiError, Problem
from longshore_client.image import FullImage, Image
from longshore_client.image_query import ImageQuery
from longshore_client.longshore_client import LongshoreClient

# Names of images that are worth reading where one name means several.
NAMED = 5


async def find_image(client: LongshoreClient, key: str) -> FullImage:
    """Return the image of this id or name; the name's first parts may be left out.

    Raises ApiError `image_not_found`, and `image_ambiguous`, which the API itself does not have.
    """
    if key.isascii() and key.isdecimal():
        return await client.image(int(key))
    found = await _named(client, key)
    if len(found) == 1:
        return await client.image(found[0].id)
    if found:
        names = ", ".join(f"{image.name} ({image.id})" for image in found[:NAMED])
        raise _error("image_ambiguous", f"{key} may be one of several: {names}.")
    raise _error("image_not_found", f"There is no image {key}.")


async def _named(client: LongshoreClient, key: str) -> list[Image]:
    """Return the one image of exactly this name, else those whose names end with it."""
    listed: list[Image] = []
    # The list's filter knows no hosts, which a full reference begins with.
    for text in filter(None, (key, key.partition("/")[2])):
        listed = listed or [image async for image in client.images(ImageQuery(tag=text))]
    exact = [image for image in listed if key in (image.name, image.reference)]
    return exact or [image for image in listed if image.name.endswith(f"/{key}")]


def _error(code: str, detail: str) -> ApiError:
    hint = "Name it by its id, or by repository:tag; `longshore images` lists both."
    return ApiError(Problem(status=404, code=code, title="Which image?", detail=detail, hint=hint))
