"""Reads lists of images."""

from shared.db.database import Connection
from shared.db.image_page import ImageFilter, ImageList, ImagePage
from shared.db.images import COLUMNS, read_image
from shared.db.list_statement import list_statement


async def list_images(connection: Connection, matching: ImageFilter, page: ImagePage) -> ImageList:
    """Return one page; the id breaks ties, so that pages never overlap."""
    statement = list_statement(COLUMNS, matching, page)
    if statement.value_dependent:
        # Prepared anew, so that it is planned for its values: a cached statement soon gets one plan for all of them.
        rows = await (await connection.prepare(statement.text)).fetch(*statement.values)
    else:
        rows = await connection.fetch(statement.text, *statement.values)
    images = [read_image(row) for row in rows if row["id"] is not None]
    return ImageList(total=rows[0]["total"], images=images)
