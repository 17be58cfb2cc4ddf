"""The images that Longshore manages: one row for each `repository:tag` in the target."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from shared.db.database import Connection
from shared.model.image_content import ImageContent
from shared.model.owner import LONGSHORE, Owner
from shared.model.states import ImageStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One managed image. `size` is in bytes, of all distinct blobs and manifests; the tag points to `digest`.

    `source_digest` is the source image's digest; None where the target is not known to serve `digest` any more.
    `created_by` is the owner's name for display; an `owner_subject` of None means that name.
    `source_private`: the source of `digest` needed an account.
    """

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
    referrers: int = 0
    owner_issuer: str = LONGSHORE
    owner_subject: str | None = None
    source_private: bool = False
    digest_source: str | None = None

    @property
    def owner(self) -> Owner:
        """The owner, which alone decides who may change the image."""
        return Owner.of(self.owner_issuer, self.owner_subject, user=self.created_by)

    @property
    def content_source(self) -> str:
        """The source that `digest` was imported from; `source` is that of the newest import."""
        return self.digest_source or self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedFigures:
    """Ready images, their projects, and the sum of their sizes in bytes: a shared layer counts once per image."""

    projects: int
    images: int
    size: int


# By name, so that a column that a newer schema adds does not reach code that does not know it.
_COLUMNS = ", ".join(field.name for field in fields(Image))


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


async def find_image(connection: Connection, *, registry_host: str, repository: str, tag: str) -> Image | None:
    """Return the image at this target, without locking it."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM images WHERE (registry_host, repository, tag) = ($1, $2, $3)",  # noqa: S608 - fixed text
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
    """Mark the image as being imported from this source; a description, if given, replaces the old one."""
    await connection.execute(
        """
        UPDATE images
        SET status = 'importing', source = $2, description = coalesce($3, description), updated_at = now(),
            description_is_own = description_is_own AND $3 IS NULL
        WHERE id = $1
        """,
        image_id,
        source,
        description,
    )


async def mark_ready(
    connection: Connection, image_id: int, content: ImageContent, *, source: str, private: bool
) -> None:
    """Record the content that the target serves now; the image's own description is used unless a user gave one.

    `private`: the import's `source` was read with an account.
    """
    await connection.execute(
        """
        UPDATE images
        SET status = 'ready', source_digest = $2, digest = $3, size = $4, architecture = $5, os = $6,
            platforms = $7, include_type = $8, updated_at = now(),
            description = CASE WHEN description = '' OR description_is_own THEN $9 ELSE description END,
            description_is_own = (description = '' OR description_is_own), referrers = $10,
            digest_source = $11, source_private = $12
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
        content.referrers,
        source,
        private,
    )


async def mark_failed(connection: Connection, image_id: int, *, tag_untouched: bool) -> None:
    """Record a failed import; an image that was ready before stays ready if its tag was not touched."""
    await connection.execute(
        """
        UPDATE images
        SET status = CASE WHEN source_digest IS NOT NULL AND $2 THEN 'ready' ELSE 'failed' END,
            source_digest = CASE WHEN $2 THEN source_digest END, updated_at = now()
        WHERE id = $1
        """,
        image_id,
        tag_untouched,
    )


async def mark_lost(connection: Connection, image: Image) -> bool:
    """Record that the target no longer serves a ready image; False if the image has changed since it was read."""
    done: str = await connection.execute(
        """
        UPDATE images SET status = 'failed', source_digest = NULL, updated_at = now()
        WHERE id = $1 AND updated_at = $2 AND status = 'ready' AND deletion_lease_until IS NULL
        """,
        image.id,
        image.updated_at,
    )
    return done == "UPDATE 1"


async def mark_found(connection: Connection, image: Image) -> bool:
    """Record that the target serves a failed image's `digest` again; False if the image has changed since it was read.

    The newest import that made it ready has the digest of its source.
    """
    done: str = await connection.execute(
        """
        UPDATE images SET status = 'ready', source_digest = made.source_digest, updated_at = now()
        FROM (
            SELECT source_digest FROM imports WHERE image_id = $1 AND state = 'ready' ORDER BY id DESC LIMIT 1
        ) AS made
        WHERE id = $1 AND updated_at = $2 AND status = 'failed' AND deletion_lease_until IS NULL
        """,
        image.id,
        image.updated_at,
    )
    return done == "UPDATE 1"


async def is_lost(connection: Connection, image_id: int) -> bool:
    """Return whether an image that was ready is known to be gone from the target."""
    lost: bool | None = await connection.fetchval("SELECT status = 'failed' FROM images WHERE id = $1", image_id)
    return bool(lost)


async def known_images(connection: Connection, *, registry_host: str, after: int, limit: int) -> list[Image]:
    """Return images of a target by id, beginning after the id `after`: those that are ready, and failed ones that were.

    Images that are being deleted are left out.
    """
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM images
        WHERE id > $2 AND registry_host = $1 AND deletion_lease_until IS NULL
          AND (status = 'ready' OR (status = 'failed' AND digest IS NOT NULL))
        ORDER BY id LIMIT $3
        """,  # noqa: S608 - fixed text
        registry_host,
        after,
        limit,
    )
    return [_image(row) for row in rows]


async def some_ready_images(connection: Connection, *, registry_host: str, but: int, limit: int) -> list[Image]:
    """Return ready images of a target, chosen at random, without the one with the id `but`."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM images WHERE id IN (
            SELECT id FROM images
            WHERE registry_host = $1 AND status = 'ready' AND deletion_lease_until IS NULL AND id <> $2
            ORDER BY random() LIMIT $3
        )
        """,  # noqa: S608 - fixed text
        registry_host,
        but,
        limit,
    )
    return [_image(row) for row in rows]


async def managed_figures(connection: Connection, registry_host: str) -> ManagedFigures:
    """Count the ready images of the target with this public name."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS projects, coalesce(sum(images), 0)::bigint AS images, coalesce(sum(size), 0)::bigint AS size
        FROM (
            SELECT count(*) AS images, sum(size) AS size FROM images
            WHERE registry_host = $1 AND status = 'ready' GROUP BY split_part(repository, '/', 1)
        ) AS by_project
        """,
        registry_host,
    )
    return ManagedFigures(**dict(row or {}))


def _image(row: Any) -> Image:
    values = dict(row)
    values["status"] = ImageStatus(values["status"])
    values["platforms"] = tuple(values["platforms"])
    return Image(**values)
