"""Reads the rows of an image list: the columns that a list shows, as tuples, because a page has up to two hundred.

`created_ms` is in milliseconds since 1970: converting every row of a list to a datetime would measurably slow it down.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from shared.db.database import Connection
from shared.db.image_list.page import ImageFilter, ImageList, ImagePage
from shared.db.image_list.statement import list_statement
from shared.model.owner import Owner


class BriefImage(NamedTuple):
    """A row of the flat form."""

    id: int
    repository: str
    tag: str
    description: str
    created_ms: int
    created_by: str


class ListedImage(NamedTuple):
    """A row of the grouped form. `digest` is None until the image has been ready once."""

    id: int
    repository: str
    tag: str
    description: str
    created_ms: int
    created_by: str
    registry_host: str
    status: str
    source: str
    digest: str | None
    size: int
    architecture: str
    os: str
    platforms: list[str]
    include_type: str
    source_private: bool
    digest_source: str | None
    owner_issuer: str
    owner_subject: str | None

    @property
    def owner(self) -> Owner:
        """The owner; `created_by` is a name for display."""
        return Owner.of(self.owner_issuer, self.owner_subject, user=self.created_by)

    @property
    def content_source(self) -> str:
        """The source that `digest` was imported from."""
        return self.digest_source or self.source


Row = TypeVar("Row", BriefImage, ListedImage)

# SQL of the fields that are not columns.
_EXPRESSIONS: Mapping[str, str] = {"created_ms": "floor(extract(epoch FROM created_at) * 1000)::bigint AS created_ms"}


async def list_images(connection: Connection, row: type[Row], matching: ImageFilter, page: ImagePage) -> ImageList[Row]:
    """Return one page; the id breaks ties, so that pages never overlap."""
    statement = list_statement(_columns(row), matching, page)
    if statement.value_dependent:
        # Prepare it anew, so that PostgreSQL plans it for its values: a cached statement soon gets one generic plan.
        found = await (await connection.prepare(statement.text)).fetch(*statement.values)
    else:
        found = await connection.fetch(statement.text, *statement.values)
    # The total is the last column; the image's columns are NULL where the page is empty.
    images = [row._make(each[:-1]) for each in found if each[0] is not None]
    return ImageList(total=found[0][-1], images=images)


def _columns(row: type[NamedTuple]) -> str:
    """Return the SELECT list for the row's fields, in their order."""
    return ", ".join(_EXPRESSIONS.get(name, name) for name in row._fields)
