"""The use case behind GET /images: one page of the images that match."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """The images of a page, to be grouped by repository; `total` counts the matching images on all pages."""

    total: int
    images: Sequence[ListedImage]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLister:
    """Reads pages; the flat form needs fewer columns than the grouped one."""

    database: Database

    async def read(self, query: ImageQuery) -> FlatPage | GroupedPage:
        """Return the page; it holds the same images in both forms."""
        async with self.database.connection() as connection:
            if query.flat:
                brief = await image_list.list_images(connection, BriefImage, query.matching, query.page)
                return FlatPage(total=brief.total, images=brief.images)
            found = await image_list.list_images(connection, ListedImage, query.matching, query.page)
        return GroupedPage(total=found.total, images=found.images)
