"""The use case behind GET /images/:id: one image and its newest import."""

from dataclasses import dataclass

from api_service.images.checks import image_not_found
from shared.db import images, imports
from shared.db.database import Database
from shared.db.images import Image
from shared.db.imports import Import


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWithImport:
    """An image and its newest import."""

    image: Image
    latest: Import | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReader:
    """Reads single images."""

    database: Database

    async def read(self, image_id: int) -> ImageWithImport:
        """Return the image; raises `image_not_found`."""
        async with self.database.connection() as connection:
            image = await images.get_image(connection, image_id)
            latest = await imports.latest_import(connection, image_id)
        if image is None:
            raise image_not_found(image_id)
        return ImageWithImport(image=image, latest=latest)
