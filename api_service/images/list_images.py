"""GET /images: one page of images, in the contract's two forms."""

from collections.abc import Iterable
from typing import Any

from api_service.images.image_json import artifact_json
from api_service.images.requests import ImageQuery
from api_service.web.times import rfc3339_of
from shared.db.database import Database
from shared.db.image_list import rows as image_list
from shared.db.image_list.rows import BriefImage, ListedImage


async def list_images(database: Database, query: ImageQuery) -> dict[str, Any]:
    """Return the page; `totalCount` counts the images that match, in both forms."""
    async with database.connection() as connection:
        if query.flat:
            brief = await image_list.list_images(connection, BriefImage, query.matching, query.page)
            return {"totalCount": brief.total, "images": [_flat(image) for image in brief.images]}
        found = await image_list.list_images(connection, ListedImage, query.matching, query.page)
    return {"totalCount": found.total, "images": _grouped(found.images)}


def _flat(image: BriefImage) -> dict[str, Any]:
    return {
        "id": image.id,
        "tag": f"{image.repository.rpartition('/')[2]}:{image.tag}",
        "description": image.description,
        "created_at": image.created_ms // 1000,
        "created_by": image.created_by,
    }


def _grouped(page: Iterable[ListedImage]) -> list[dict[str, Any]]:
    """Group by repository, in order of first appearance."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for image in page:
        artifact = artifact_json(image, created=rfc3339_of(image.created_ms))
        groups.setdefault((image.registry_host, image.repository), []).append(artifact)
    return [
        {"registryHost": host, "repo": repository, "artifacts": artifacts}
        for (host, repository), artifacts in groups.items()
    ]
