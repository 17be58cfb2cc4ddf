"""GET /images: one page of images, in the contract's two forms."""

from collections.abc import Iterable
from typing import Any

from api_service.image_json import artifact_json
from api_service.list_schema import ImageQuery
from api_service.times import unix_seconds
from shared.db import image_list
from shared.db.database import Database
from shared.db.images import Image


async def list_images(database: Database, query: ImageQuery) -> dict[str, Any]:
    """Return the page; `totalCount` counts the images that match, in both forms."""
    async with database.connection() as connection:
        found = await image_list.list_images(connection, query.matching, query.page)
    images = [_flat(image) for image in found.images] if query.flat else _grouped(found.images)
    return {"totalCount": found.total, "images": images}


def _flat(image: Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "tag": f"{image.repository.rpartition('/')[2]}:{image.tag}",
        "description": image.description,
        "created_at": unix_seconds(image.created_at),
        "created_by": image.created_by,
    }


def _grouped(page: Iterable[Image]) -> list[dict[str, Any]]:
    """Group by repository, in order of first appearance."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for image in page:
        groups.setdefault((image.registry_host, image.repository), []).append(artifact_json(image))
    return [
        {"registryHost": host, "repo": repository, "artifacts": artifacts}
        for (host, repository), artifacts in groups.items()
    ]
