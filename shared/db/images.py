"""The images that Longshore manages: one row for each `repository:tag` in the target."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from shared.db.database import Connection
from shared.imports import ImageStatus

Order = Literal["asc", "desc"]

# What the contract's orderBy names mean in SQL.
SORT_COLUMNS: Mapping[str, str] = {
    "createdTime": "created_at",
    "created_at": "created_at",
    "tag": "tag",
    "repo": "repository",
    "size": "size",
    "userName": "created_by",
    "created_by": "created_by",
    "status": "status",
    "id": "id",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One managed image. `size` is in bytes, of all distinct blobs and manifests; `digest` what the tag points to."""

    id: int
    registry_host: str
    repository: str
    tag: str
    description: str
    status: ImageStatus
    source: str
    source_digest: str | None
    digest: str | None
    size: int
    architecture: str
    os: str
    platforms: tuple[str, ...]
    include_type: str
    created_at: datetime
    created_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFilter:
    """Which images a list holds; None leaves a field open. `tag` is a substring of `repository:tag`."""

    tag: str | None = None
    ready: bool | None = None
    user_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """Which part of a list, in which order; `number` counts from 0."""

    number: int
    size: int
    order_by: str
    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageContent:
    """What a finished import found out about its image."""

    source_digest: str
    digest: str
    size: int
    architecture: str
    os: str
    platforms: tuple[str, ...]
    include_type: str
    description: str = ""


# By name, so that a column that a newer schema adds does not reach code that knows nothing of it.
_COLUMNS = ", ".join(field.name for field in fields(Image))


async def insert_image(
    connection: Connection,
    *,
    registry_host: str,
    repository: str,
    tag: str,
    source: str,
    user: str,
    description: str = "",
) -> int | None:
    """Add an image that is being imported and return its id; None where this target exists already."""
    new_id: int | None = await connection.fetchval(
        """
        INSERT INTO images (registry_host, repository, tag, status, source, created_by, description)
        VALUES ($1, $2, $3, 'importing', $4, $5, $6)
        ON CONFLICT ON CONSTRAINT images_target_key DO NOTHING
        RETURNING id
        """,
        registry_host,
        repository,
        tag,
        source,
        user,
        description,
    )
    return new_id


async def lock_image(connection: Connection, *, registry_host: str, repository: str, tag: str) -> Image | None:
    """Return the image at this target, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM images "  # noqa: S608 - fixed text
        "WHERE (registry_host, repository, tag) = ($1, $2, $3) FOR UPDATE",
        registry_host,
        repository,
        tag,
    )
    return _image(row) if row else None


async def get_image(connection: Connection, image_id: int) -> Image | None:
    """Return the image with this id."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM images WHERE id = $1", image_id)  # noqa: S608 - fixed text
    return _image(row) if row else None


async def mark_importing(connection: Connection, image_id: int, *, source: str, description: str | None) -> None:
    """Show the image as being imported, from this source; a description given replaces the old one."""
    await connection.execute(
        """
        UPDATE images
        SET status = 'importing', source = $2, description = coalesce($3, description), updated_at = now()
        WHERE id = $1
        """,
        image_id,
        source,
        description,
    )


async def mark_ready(connection: Connection, image_id: int, content: ImageContent) -> None:
    """Record what the target serves now; its own description holds where nobody gave the image one."""
    await connection.execute(
        """
        UPDATE images
        SET status = 'ready', source_digest = $2, digest = $3, size = $4, architecture = $5, os = $6,
            platforms = $7, include_type = $8, updated_at = now(),
            description = CASE WHEN description = '' THEN $9 ELSE description END
        WHERE id = $1
        """,
        image_id,
        content.source_digest,
        content.digest,
        content.size,
        content.architecture,
        content.os,
        list(content.platforms),
        content.include_type,
        content.description,
    )


async def mark_failed(connection: Connection, image_id: int, *, tag_untouched: bool) -> None:
    """Record a failed import; an image that was ready stays so while its tag was not touched."""
    await connection.execute(
        """
        UPDATE images
        SET status = CASE WHEN digest IS NOT NULL AND $2 THEN 'ready' ELSE 'failed' END, updated_at = now()
        WHERE id = $1
        """,
        image_id,
        tag_untouched,
    )


async def count_images(connection: Connection, matching: ImageFilter) -> int:
    """Return how many images match."""
    where, values = _where(matching)
    count: int = await connection.fetchval(f"SELECT count(*) FROM images WHERE {where}", *values)  # noqa: S608 - fixed text
    return count


async def list_images(connection: Connection, matching: ImageFilter, page: ImagePage) -> list[Image]:
    """Return one page; the id breaks ties, so that pages never overlap."""
    where, values = _where(matching)
    direction = {"asc": "ASC", "desc": "DESC"}[page.order]
    column = SORT_COLUMNS[page.order_by]
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM images WHERE {where} ORDER BY {column} {direction}, id {direction} "  # noqa: S608 - both from tables
        f"LIMIT ${len(values) + 1} OFFSET ${len(values) + 2}",
        *values,
        page.size,
        page.number * page.size,
    )
    return [_image(row) for row in rows]


def _where(matching: ImageFilter) -> tuple[str, list[Any]]:
    clauses, values = ["TRUE"], []
    if matching.tag is not None:
        values.append(f"%{_literal(matching.tag)}%")
        clauses.append(f"(repository || ':' || tag) ILIKE ${len(values)}")
    if matching.ready is not None:
        clauses.append("status = 'ready'" if matching.ready else "status <> 'ready'")
    if matching.user_name is not None:
        values.append(matching.user_name)
        clauses.append(f"created_by = ${len(values)}")
    return " AND ".join(clauses), values


def _literal(text: str) -> str:
    """Take LIKE's special meaning from backslash, per cent and underscore."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _image(row: Any) -> Image:
    values = dict(row)
    values["status"] = ImageStatus(values["status"])
    values["platforms"] = tuple(values["platforms"])
    return Image(**values)
