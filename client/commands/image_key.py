"""An image as people name it on the command line: by id, or by repository and tag."""

from client.errors import ApiError, Problem
from client.image import FullImage
from client.image_query import ImageQuery
from client.longshore_client import LongshoreClient


async def find_image(client: LongshoreClient, key: str) -> FullImage:
    """Return the image; raises ApiError `image_not_found`."""
    if key.isascii() and key.isdecimal():
        return await client.image(int(key))
    # The list's filter has no host; a name without a host may begin with any part, so both are tried.
    for text in (key, key.partition("/")[2]):
        if text:
            async for image in client.images(ImageQuery(tag=text)):
                if key in (image.name, image.reference):
                    return await client.image(image.id)
    raise ApiError(
        Problem(
            status=404,
            code="image_not_found",
            title="There is no image of this name",
            detail=f"There is no image {key}.",
            hint="Name it by its id, or as repository:tag in the target; `longshore images` lists both.",
        )
    )
