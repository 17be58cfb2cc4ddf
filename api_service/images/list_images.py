"""The use case behind GET /images: one page of the images that match."""

from collections.abc import Sequence
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.images.visibility import ContentVisibility
from shared.db.database import Database
from shared.db.image_list import rows as image_list
from shared.db.image_list.page import ImageFilter, ImagePage
from shared.db.image_list.rows import BriefImage, ListedImage


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery:
    """The images that a caller asks for, the page of them, and the form: flat, or grouped by repository."""

    matching: ImageFilter
    page: ImagePage
    flat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatPage:
    """The images of a page; `total` counts the matching images on all pages."""

    total: int
    images: Sequence[BriefImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedPage:
    """The images of a page, to be grouped by repository; `total` counts the matching images on all pages.

    `hidden` are the ids of the images whose content the caller does not see.
    """

    total: int
    images: Sequence[ListedImage]
    hidden: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLister:
    """Reads pages; the flat form needs fewer columns than the grouped one."""

    database: Database
    visibility: ContentVisibility

    async def read(self, query: ImageQuery, by: Identity) -> FlatPage | GroupedPage:
        """Return the page; it holds the same images in both forms."""
        async with self.database.connection() as connection:
            if query.flat:
                brief = await image_list.list_images(connection, BriefImage, query.matching, query.page)
                return FlatPage(total=brief.total, images=brief.images)
            found = await image_list.list_images(connection, ListedImage, query.matching, query.page)
        hidden = await self.visibility.hidden(found.images, by)
        return GroupedPage(total=found.total, images=found.images, hidden=hidden)
