"""Deletions of images: begun with a lease, carried out at the target, finished by deleting the row.

While an image of a repository is marked, no import writes a tag in that repository, and no deletion begins there while
an import may be writing one: `lock_repository` makes the check and the mark one step. A transaction locks the import
first, then the image, and the repository last.
"""

from dataclasses import dataclass
from datetime import datetime

from shared.db.database import Connection
from shared.model.owner import Owner
from shared.model.states import ImageStatus

# The first half of the advisory locks' keys; the second is a hash of the repository's name.
REPOSITORY_LOCK = 72_651


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletableImage:
    """The fields of an image that its deletion needs.

    `digest` is None until the image has been ready once. `marked`: a deletion has begun; `leased`: an API instance is
    carrying it out now.
    """

    id: int
    registry_host: str
    repository: str
    tag: str
    digest: str | None
    created_by: str
    owner_issuer: str
    owner_subject: str | None
    marked: bool
    leased: bool

    @property
    def owner(self) -> Owner:
        """The owner, which alone decides who may delete the image."""
        return Owner.of(self.owner_issuer, self.owner_subject, user=self.created_by)


async def lock_image(connection: Connection, image_id: int) -> DeletableImage | None:
    """Return the image, locked until the transaction ends."""
    row = await connection.fetchrow(
        """
        SELECT id, registry_host, repository, tag, digest, created_by, owner_issuer, owner_subject,
               deletion_lease_until IS NOT NULL AS marked, coalesce(deletion_lease_until > now(), false) AS leased
        FROM images WHERE id = $1 FOR UPDATE
        """,
        image_id,
    )
    return DeletableImage(**dict(row)) if row else None


async def lock_repository(connection: Connection, image_id: int) -> None:
    """Lock the decision on who writes in the image's repository until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1, hashtext(registry_host || '/' || repository)) FROM images WHERE id = $2",
        REPOSITORY_LOCK,
        image_id,
    )


async def lock_repository_named(connection: Connection, registry_host: str, repository: str) -> None:
    """As `lock_repository`, for a repository whose image may be gone."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock($1, hashtext($2::text || '/' || $3::text))",
        REPOSITORY_LOCK,
        registry_host,
        repository,
    )


async def is_marked(connection: Connection, image_id: int) -> bool:
    """Return whether the image's deletion has begun."""
    marked: bool | None = await connection.fetchval(
        "SELECT deletion_lease_until IS NOT NULL FROM images WHERE id = $1", image_id
    )
    return bool(marked)


async def under_way(connection: Connection, image_id: int) -> bool:
    """Return whether a deletion has begun in the image's repository, of this image or of another one."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM images AS own JOIN images AS other USING (registry_host, repository)
            WHERE own.id = $1 AND other.deletion_lease_until IS NOT NULL
        )
        """,
        image_id,
    )
    return found


async def tag_being_written(connection: Connection, image_id: int) -> bool:
    """Return whether an import may be writing a tag in the image's repository at this moment."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM images AS own JOIN images AS other USING (registry_host, repository)
            JOIN imports ON imports.image_id = other.id
            WHERE own.id = $1 AND imports.state = 'running' AND imports.fenced_attempt = imports.attempt
        )
        """,
        image_id,
    )
    return found


async def has_sibling(connection: Connection, image_id: int, digest: str) -> bool:
    """Return whether the target serves this digest as another image of the repository, which is not being deleted.

    A failed image does not count: if its tag exists nevertheless, the target lists it.
    """
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM images AS own JOIN images AS other USING (registry_host, repository)
            WHERE own.id = $1 AND other.id <> $1 AND other.digest = $2 AND other.source_digest IS NOT NULL
              AND other.deletion_lease_until IS NULL
        )
        """,
        image_id,
        digest,
    )
    return found


async def begin(connection: Connection, image_id: int, *, user: str | None, lease: float) -> datetime:
    """Mark the image for `lease` seconds and return the lease's end, which proves that the caller owns the deletion.

    `user` is None to resume a deletion that was requested earlier.
    """
    until: datetime = await connection.fetchval(
        """
        UPDATE images
        SET deletion_lease_until = now() + make_interval(secs => $3),
            deletion_requested_by = coalesce($2, deletion_requested_by)
        WHERE id = $1 RETURNING deletion_lease_until
        """,
        image_id,
        user,
        lease,
    )
    return until


async def abandon(connection: Connection, image_id: int, until: datetime, *, status: ImageStatus | None) -> None:
    """Remove the mark; `status` is the image's state in the target as just observed, None to keep the stored one.

    An image that has failed, or whose source digest is unknown, has to be imported again.
    """
    await connection.execute(
        """
        UPDATE images
        SET deletion_lease_until = NULL, deletion_requested_by = NULL,
            status = CASE WHEN $3 = 'ready' AND source_digest IS NULL THEN 'failed' ELSE coalesce($3, status) END,
            source_digest = CASE WHEN $3 = 'failed' THEN NULL ELSE source_digest END, updated_at = now()
        WHERE id = $1 AND deletion_lease_until = $2
        """,
        image_id,
        until,
        status.value if status else None,
    )


async def suspend(connection: Connection, image_id: int, until: datetime, *, delay: float) -> None:
    """Release a deletion that has begun at the target, to be resumed after `delay` seconds; the image is broken."""
    await connection.execute(
        """
        UPDATE images
        SET status = 'failed', source_digest = NULL, deletion_lease_until = now() + make_interval(secs => $3),
            updated_at = now()
        WHERE id = $1 AND deletion_lease_until = $2
        """,
        image_id,
        until,
        delay,
    )


async def delete_history(connection: Connection, image_id: int, until: datetime, *, limit: int) -> int:
    """Delete at most `limit` rows of the image's history; return their number, 0 when little is left for `finish`.

    These are the blobs of its imports, then its imports except the newest. An image that is imported again every hour
    has millions of such rows, which one statement cannot delete within its time limit.
    """
    blobs = await connection.execute(
        """
        DELETE FROM import_layers WHERE ctid = ANY (ARRAY(
            SELECT import_layers.ctid FROM images JOIN imports ON imports.image_id = images.id
            JOIN import_layers ON import_layers.import_id = imports.id
            WHERE images.id = $1 AND deletion_lease_until = $2 LIMIT $3
        ))
        """,
        image_id,
        until,
        limit,
    )
    deleted = int(blobs.rpartition(" ")[2])
    if deleted:
        return deleted
    old = await connection.execute(
        """
        DELETE FROM imports WHERE id = ANY (ARRAY(
            SELECT imports.id FROM images JOIN imports ON imports.image_id = images.id
            WHERE images.id = $1 AND deletion_lease_until = $2
              AND imports.id < (SELECT max(id) FROM imports WHERE image_id = $1)
            LIMIT $3
        ))
        """,
        image_id,
        until,
        limit,
    )
    return int(old.rpartition(" ")[2])


async def finish(connection: Connection, image_id: int, until: datetime) -> None:
    """Delete the image with its imports, unless another API instance has taken the deletion over."""
    await connection.execute("DELETE FROM images WHERE id = $1 AND deletion_lease_until = $2", image_id, until)


async def interrupted(connection: Connection, limit: int) -> list[int]:
    """Return the ids of images whose deletion has begun and whose lease has expired, the oldest first."""
    rows = await connection.fetch(
        "SELECT id FROM images WHERE deletion_lease_until < now() ORDER BY deletion_lease_until LIMIT $1", limit
    )
    return [row["id"] for row in rows]
