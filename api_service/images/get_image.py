"""The use case behind GET /images/:id: one image and its newest import."""

from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.images.checks import image_not_found
from api_service.images.visibility import ContentVisibility
from shared.db import images, imports
from shared.db.database import Database
from shared.db.images import Image
from shared.db.imports import Import


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWithImport:
    """An image and its newest import. `hidden`: the caller does not see the image's content."""

    image: Image
    latest: Import | None
    hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReader:
    """Reads single images."""

    database: Database
    visibility: ContentVisibility

    async def read(self, image_id: int, by: Identity) -> ImageWithImport:
        """Return the image; raises `image_not_found`."""
        async with self.database.connection() as connection:
            image = await images.get_image(connection, image_id)
            latest = await imports.latest_import(connection, image_id)
        if image is None:
            raise image_not_found(image_id)
        hidden = image.id in await self.visibility.hidden((image,), by)
        return ImageWithImport(image=image, latest=latest, hidden=hidden)
