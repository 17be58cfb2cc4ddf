"""Reads lists of images."""

from typing import TypeVar

from shared.db.database import Connection
from shared.db.image_list.listed_image import BriefImage, ListedImage, columns_of
from shared.db.image_list.page import ImageFilter, ImageList, ImagePage
from shared.db.image_list.statement import list_statement

Kind = TypeVar("Kind", BriefImage, ListedImage)


async def list_images(
    connection: Connection, kind: type[Kind], matching: ImageFilter, page: ImagePage
) -> ImageList[Kind]:
    """Return one page; the id breaks ties, so that pages never overlap."""
    statement = list_statement(columns_of(kind), matching, page)
    if statement.value_dependent:
        # Prepared anew, so that it is planned for its values: a cached statement soon gets one plan for all of them.
        rows = await (await connection.prepare(statement.text)).fetch(*statement.values)
    else:
        rows = await connection.fetch(statement.text, *statement.values)
    # The total stands behind the image, whose id is NULL where the page is empty.
    images = [kind._make(row[:-1]) for row in rows if row[0] is not None]
    return ImageList(total=rows[0][-1], images=images)
