"""An image as the contract's `artifact`."""

from typing import Any

from api_service.times import rfc3339
from shared.db.images import Image


def artifact_json(image: Image) -> dict[str, Any]:
    """Return the contract's fields, with `platforms` and `source` beside them.

    `digest`, `arch` and `os` are empty, and `size` is 0, until the image was ready once.
    """
    return {
        "imageTag": image.tag,
        "description": image.description,
        "createdTime": rfc3339(image.created_at),
        "userName": image.created_by,
        "status": image.status.value,
        "id": image.id,
        "size": image.size,
        "arch": image.architecture,
        "os": image.os,
        "digest": image.digest or "",
        "includeType": image.include_type,
        "platforms": list(image.platforms),
        "source": image.source,
    }
