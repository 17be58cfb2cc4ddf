"""GET /images/:id: one image, with what is needed to pull it and to follow its import."""

from typing import Any

from api_service.images.checks import image_not_found
from api_service.images.image_json import artifact_json
from api_service.web.times import rfc3339
from shared.db import images, imports
from shared.db.database import Database
from shared.db.images import Image
from shared.db.imports import Import


async def get_image(database: Database, image_id: int) -> dict[str, Any]:
    """Return the artifact's fields and more; raises `image_not_found`."""
    async with database.connection() as connection:
        image = await images.get_image(connection, image_id)
        latest = await imports.latest_import(connection, image_id)
    if image is None:
        raise image_not_found(image_id)
    return {
        "registryHost": image.registry_host,
        "repo": image.repository,
        **artifact_json(image, created=rfc3339(image.created_at)),
        "sourceDigest": image.source_digest,
        "referrers": image.referrers,
        "reference": f"{_name(image)}:{image.tag}",
        "digestReference": f"{_name(image)}@{image.digest}" if image.digest else None,
        "import": _import_json(latest) if latest else None,
    }


def _name(image: Image) -> str:
    return f"{image.registry_host}/{image.repository}"


def _import_json(latest: Import) -> dict[str, Any]:
    return {"name": latest.name, "state": latest.state.value, "platforms": list(latest.platforms)}
