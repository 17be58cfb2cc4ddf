"""PUTs of tags whose end is not known yet. A row is written before a tag is sent, and deleted after its answer.

A row that stays is of a PUT whose end is unknown: its sender was stopped, its answer was lost, or a time-out came. The
API looks at its tag a few times, and deletes the row with the last look. Why: docs/decisions/0050.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db.database import Connection

# Rows are kept this long at most, also if the target does not answer, or is no longer the target. Days.
KEPT_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenTag:
    """A tag of the target. `subject` is the digest whose referrers it holds; None for an image's own tag."""

    registry_host: str
    repository: str
    tag: str
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagWrite:
    """One sending of a tag."""

    id: int
    to: WrittenTag
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterClaim:
    """The claim of the attempt that writes."""

    import_name: str
    attempt: int
    claim_token: UUID | None


_HOLDS = "imports.name = $1 AND state = 'running' AND attempt = $2 AND claim_token IS NOT DISTINCT FROM $3"


async def begin(
    connection: Connection, claim: WriterClaim, *, tag: str, digest: str, subject: str | None
) -> TagWrite | None:
    """Record that this attempt sends a tag of its image's repository; None if it no longer holds the import."""
    row = await connection.fetchrow(
        f"""
        INSERT INTO tag_writes (registry_host, repository, tag, digest, subject)
        SELECT registry_host, repository, $4, $5, $6 FROM imports JOIN images ON images.id = imports.image_id
        WHERE {_HOLDS}
        RETURNING id, registry_host, repository
        """,  # noqa: S608 - fixed text
        claim.import_name,
        claim.attempt,
        claim.claim_token,
        tag,
        digest,
        subject,
    )
    if row is None:
        return None
    to = WrittenTag(registry_host=row["registry_host"], repository=row["repository"], tag=tag, subject=subject)
    return TagWrite(id=row["id"], to=to, digest=digest)


async def end(connection: Connection, claim: WriterClaim, write: TagWrite) -> None:
    """Record that the write has ended, after its answer.

    If the attempt has lost the import meanwhile, the write came late: its tag is looked at as if it were sent now.
    """
    done = await connection.execute(
        f"DELETE FROM tag_writes WHERE id = $4 AND EXISTS (SELECT FROM imports WHERE {_HOLDS})",  # noqa: S608 - fixed text
        claim.import_name,
        claim.attempt,
        claim.claim_token,
        write.id,
    )
    if done == "DELETE 1":
        return
    done = await connection.execute(
        "UPDATE tag_writes SET begun_at = now(), looks = 0, postponed_until = NULL WHERE id = $1", write.id
    )
    if done == "UPDATE 0":
        await begin_own(connection, write.to, write.digest)


async def begin_own(connection: Connection, to: WrittenTag, digest: str) -> TagWrite:
    """Record that the API itself sends a tag."""
    write_id: int = await connection.fetchval(
        """
        INSERT INTO tag_writes (registry_host, repository, tag, digest, subject) VALUES ($1, $2, $3, $4, $5)
        RETURNING id
        """,
        to.registry_host,
        to.repository,
        to.tag,
        digest,
        to.subject,
    )
    return TagWrite(id=write_id, to=to, digest=digest)


async def end_own(connection: Connection, write: TagWrite) -> None:
    """Record that the API's own write has ended, after its answer."""
    await connection.execute("DELETE FROM tag_writes WHERE id = $1", write.id)


async def due_tags(
    connection: Connection, registry_host: str, *, delays: Sequence[float], limit: int
) -> list[WrittenTag]:
    """Return the tags of a target that are to be looked at now; look n is due `delays[n]` seconds after the sending."""
    rows = await connection.fetch(
        """
        SELECT repository, tag, max(subject) AS subject FROM tag_writes
        WHERE registry_host = $1 AND begun_at + make_interval(secs => ($2::float8[])[looks + 1]) <= now()
          AND coalesce(postponed_until, '-infinity') <= now() AND coalesce(lease_until, '-infinity') <= now()
        GROUP BY repository, tag ORDER BY min(begun_at) LIMIT $3
        """,
        registry_host,
        list(delays),
        limit,
    )
    return [WrittenTag(registry_host=registry_host, **dict(row)) for row in rows]


async def writes_of(connection: Connection, to: WrittenTag) -> list[TagWrite]:
    """Return the writes of a tag whose end is not known."""
    rows = await connection.fetch(
        "SELECT id, digest FROM tag_writes WHERE (registry_host, repository, tag) = ($1, $2, $3)",
        to.registry_host,
        to.repository,
        to.tag,
    )
    return [TagWrite(id=row["id"], to=to, digest=row["digest"]) for row in rows]


async def mark_looked(connection: Connection, writes: Sequence[TagWrite], *, delays: Sequence[float]) -> None:
    """Count a look for those of these writes for which one was due; a write ends with its last look."""
    due = "id = ANY($1::bigint[]) AND begun_at + make_interval(secs => ($2::float8[])[looks + 1]) <= now()"
    ids = [write.id for write in writes]
    await connection.execute(
        f"DELETE FROM tag_writes WHERE {due} AND looks + 1 >= cardinality($2::float8[])",  # noqa: S608 - fixed text
        ids,
        list(delays),
    )
    await connection.execute(
        f"UPDATE tag_writes SET looks = looks + 1 WHERE {due}",  # noqa: S608 - fixed text
        ids,
        list(delays),
    )


async def postpone(connection: Connection, to: WrittenTag, *, seconds: float) -> None:
    """Look at the tag later: at this moment nothing can be said about it."""
    await connection.execute(
        """
        UPDATE tag_writes SET postponed_until = now() + make_interval(secs => $4)
        WHERE (registry_host, repository, tag) = ($1, $2, $3)
        """,
        to.registry_host,
        to.repository,
        to.tag,
        seconds,
    )


async def take_lease(connection: Connection, to: WrittenTag, *, seconds: float) -> bool:
    """Take the tag for a repair; False while an import writes a tag in the repository, or a deletion is under way.

    The repository has to be locked, see `deletions.lock_repository_named`. While a tag of a repository is taken, no
    import gets the permission to write one there, and no deletion begins.
    """
    done = await connection.execute(
        """
        UPDATE tag_writes SET lease_until = now() + make_interval(secs => $4)
        WHERE (registry_host, repository, tag) = ($1, $2, $3)
          AND NOT EXISTS (
              SELECT FROM tag_writes
              WHERE (registry_host, repository, tag) = ($1, $2, $3) AND lease_until > now()
          )
          AND NOT EXISTS (
              SELECT FROM images LEFT JOIN imports ON imports.image_id = images.id AND imports.state = 'running'
              WHERE (images.registry_host, images.repository) = ($1, $2)
                AND (images.deletion_lease_until IS NOT NULL OR imports.fenced_attempt = imports.attempt)
          )
        """,
        to.registry_host,
        to.repository,
        to.tag,
        seconds,
    )
    return done != "UPDATE 0"


async def release(connection: Connection, to: WrittenTag) -> None:
    """End a repair."""
    await connection.execute(
        "UPDATE tag_writes SET lease_until = NULL WHERE (registry_host, repository, tag) = ($1, $2, $3)",
        to.registry_host,
        to.repository,
        to.tag,
    )


async def is_repairing(connection: Connection, image_id: int) -> bool:
    """Return whether the API is putting a tag right in the image's repository."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM images JOIN tag_writes USING (registry_host, repository)
            WHERE images.id = $1 AND tag_writes.lease_until > now()
        )
        """,
        image_id,
    )
    return found


async def has_image(connection: Connection, to: WrittenTag, digest: str) -> bool:
    """Return whether an image of the repository, with another tag, is ready as this digest."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (
            SELECT FROM images
            WHERE (registry_host, repository, digest) = ($1, $2, $3) AND tag <> $4 AND source_digest IS NOT NULL
              AND deletion_lease_until IS NULL
        )
        """,
        to.registry_host,
        to.repository,
        digest,
        to.tag,
    )
    return found


async def purge(connection: Connection, *, limit: int) -> int:
    """Delete rows that no look has ended in KEPT_DAYS; return their number."""
    done: str = await connection.execute(
        """
        DELETE FROM tag_writes WHERE id = ANY (ARRAY(
            SELECT id FROM tag_writes WHERE begun_at < now() - make_interval(days => $1) LIMIT $2
        ))
        """,
        KEPT_DAYS,
        limit,
    )
    return int(done.rpartition(" ")[2])
