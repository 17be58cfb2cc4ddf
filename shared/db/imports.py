"""Imports: the queue's truth. Every change of state is one of the functions here; PostgreSQL checks each of them.

Times are the database's own, so that no service's clock matters.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.db.database import Connection
from shared.db.outbox import LEASE_LOST
from shared.errors.codes import Code
from shared.model.states import ImportState

# NOTIFY channel on which the imports' trigger tells an image's id.
CHANNEL = "longshore_imports"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One import. `rate` is in bytes per second, `progress` in per cent.

    `idle` are the seconds since bytes last moved (None before that), `age` those since anything about it changed.
    `tagging`: the target's tag may have been written, by whichever attempt. `fenced`: the attempt that runs has leave
    to write it. `with_referrers`: what refers to the image is to come along; `note` tells what did not.
    """

    id: int
    name: str
    image_id: int
    state: ImportState
    source: str
    source_digest: str | None
    platforms: tuple[str, ...]
    requested_by: str
    attempt: int
    failures: int
    sequence: int
    due_at: datetime
    tagging: bool
    fenced: bool = False
    bytes_done: int
    bytes_total: int
    progress: int
    rate: float
    idle: float | None
    age: float
    error_code: Code | None
    error_detail: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    with_referrers: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedImport:
    """What a worker gets with a claim. `credentials` are still encrypted; `attempt` is the fence.

    `request_id` is that of the request that the import comes from. `waited` are the seconds for which the import could
    have been claimed. `lost` is how many of its workers have gone silent with it, for good as far as is known.
    """

    name: str
    attempt: int
    source: str
    source_digest: str | None
    platforms: tuple[str, ...]
    credentials: bytes | None
    repository: str
    tag: str
    with_referrers: bool = True
    request_id: str | None = None
    waited: float = field(default=0.0, compare=False)
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """How far an import has come. `rate` is in bytes per second, `progress` in per cent.

    `moved` tells whether bytes arrived just now.
    """

    bytes_done: int
    bytes_total: int
    progress: int
    rate: float
    moved: bool


_COLUMNS = """
    id, name, image_id, state, source, source_digest, platforms, requested_by, attempt, failures, sequence, due_at,
    tagging, state = 'running' AND fenced_attempt = attempt AS fenced, bytes_done, bytes_total, progress, rate,
    extract(epoch FROM now() - moved_at)::float8 AS idle, extract(epoch FROM now() - updated_at)::float8 AS age,
    error_code, error_detail, created_at, started_at, finished_at, with_referrers, note
"""


async def insert_import(
    connection: Connection,
    *,
    name: str,
    image_id: int,
    source: str,
    source_digest: str | None,
    platforms: tuple[str, ...],
    credentials: bytes | None,
    user: str,
    with_referrers: bool = True,
    request_id: str | None = None,
    traceparent: str | None = None,
) -> int:
    """Add a queued import and return its id. The image's row must be locked, or be new."""
    new_id: int = await connection.fetchval(
        """
        INSERT INTO imports
            (name, image_id, state, source, source_digest, platforms, credentials, requested_by, with_referrers,
             request_id, traceparent)
        VALUES ($1, $2, 'queued', $3, $4, $5, $6, $7, $8, $9, $10)
        RETURNING id
        """,
        name,
        image_id,
        source,
        source_digest,
        list(platforms),
        credentials,
        user,
        with_referrers,
        request_id,
        traceparent,
    )
    return new_id


async def latest_import(connection: Connection, image_id: int) -> Import | None:
    """Return the newest import of an image."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE image_id = $1 ORDER BY id DESC LIMIT 1",  # noqa: S608 - fixed text
        image_id,
    )
    return _import(row) if row else None


async def latest_ready_import(connection: Connection, image_id: int) -> Import | None:
    """Return the newest import that made the image ready."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE image_id = $1 AND state = 'ready' ORDER BY id DESC LIMIT 1",  # noqa: S608 - fixed text
        image_id,
    )
    return _import(row) if row else None


async def lock_import(connection: Connection, name: str) -> Import | None:
    """Return the import with this name, locked until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM imports WHERE name = $1 FOR UPDATE",  # noqa: S608 - fixed text
        name,
    )
    return _import(row) if row else None


async def lock_open(connection: Connection, image_id: int) -> Import | None:
    """Return the import of this image that is under way, locked until the transaction ends.

    Whoever locks an image and its import locks the import first.
    """
    row = await connection.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM imports WHERE image_id = $1 AND state IN ('queued', 'running', 'waiting') FOR UPDATE
        """,  # noqa: S608 - fixed text
        image_id,
    )
    return _import(row) if row else None


async def digests_tagged_since_ready(connection: Connection, image_id: int) -> frozenset[str]:
    """Return what imports since the image was last ready may have pointed the target's tag to."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT coalesce(tag_digest, source_digest) AS digest FROM imports
        WHERE image_id = $1 AND tagging AND coalesce(tag_digest, source_digest) IS NOT NULL
          AND id > (SELECT coalesce(max(id), 0) FROM imports WHERE image_id = $1 AND state = 'ready')
        """,
        image_id,
    )
    return frozenset(row["digest"] for row in rows)


async def claim(connection: Connection, name: str, *, worker: str, lease: float) -> ClaimedImport | None:
    """Take a due import for `lease` seconds; None where it is not to be had. The attempt goes up by one."""
    row = await connection.fetchrow(
        """
        UPDATE imports
        SET state = 'running', attempt = attempt + 1, sequence = 0, lease_owner = $2,
            lease_until = now() + make_interval(secs => $3), started_at = coalesce(started_at, now()),
            moved_at = now(), rate = 0, updated_at = now()
        FROM images
        WHERE imports.name = $1 AND images.id = imports.image_id
          AND imports.state IN ('queued', 'waiting') AND imports.due_at <= now()
        RETURNING imports.name, imports.attempt, imports.source, imports.source_digest, imports.platforms,
                  imports.credentials, imports.with_referrers, imports.request_id, images.repository, images.tag,
                  extract(epoch FROM now() - imports.due_at)::float8 AS waited,
                  (SELECT count(*) FROM outbox WHERE import_id = imports.id AND reason = $4) AS lost
        """,
        name,
        worker,
        lease,
        LEASE_LOST,
    )
    return ClaimedImport(**{**dict(row), "platforms": tuple(row["platforms"])}) if row else None


async def record_progress(
    connection: Connection,
    import_id: int,
    *,
    sequence: int,
    lease: float,
    movement: Movement,
    tagging: bool,
    source_digest: str | None,
    tag_digest: str | None = None,
) -> None:
    """Store a report of a running import and renew its lease for `lease` seconds.

    The first digest that is known stays: later attempts bring the same content, wherever the source's tag has moved.
    """
    await connection.execute(
        """
        UPDATE imports
        SET sequence = $2, lease_until = now() + make_interval(secs => $3), bytes_done = $4, bytes_total = $5,
            progress = greatest(progress, $6), rate = $7, moved_at = CASE WHEN $8 THEN now() ELSE moved_at END,
            tagging = tagging OR $9, fenced_attempt = CASE WHEN $9 THEN attempt ELSE fenced_attempt END,
            source_digest = coalesce(source_digest, $10), tag_digest = coalesce($11, tag_digest), updated_at = now()
        WHERE id = $1
        """,
        import_id,
        sequence,
        lease,
        movement.bytes_done,
        movement.bytes_total,
        movement.progress,
        movement.rate,
        movement.moved,
        tagging,
        source_digest,
        tag_digest,
    )


async def requeue(connection: Connection, import_id: int, *, failed: bool) -> None:
    """Give a running import back, to be claimed at once; `failed` counts the attempt against the limit."""
    await connection.execute(
        """
        UPDATE imports
        SET state = 'queued', lease_owner = NULL, lease_until = NULL, due_at = now(), rate = 0,
            failures = failures + $2, updated_at = now()
        WHERE id = $1
        """,
        import_id,
        int(failed),
    )


async def park(
    connection: Connection, import_id: int, *, delay: float, code: str, detail: str, failed: bool
) -> datetime:
    """Let a running import wait for `delay` seconds and return its due time; the error stays visible meanwhile."""
    due_at: datetime = await connection.fetchval(
        """
        UPDATE imports
        SET state = 'waiting', lease_owner = NULL, lease_until = NULL, rate = 0,
            due_at = now() + make_interval(secs => $2), error_code = $3, error_detail = $4,
            failures = failures + $5, updated_at = now()
        WHERE id = $1
        RETURNING due_at
        """,
        import_id,
        delay,
        code,
        detail,
        int(failed),
    )
    return due_at


async def finish(
    connection: Connection,
    import_id: int,
    state: ImportState,
    *,
    code: str | None = None,
    detail: str | None = None,
    note: str = "",
) -> float:
    """End an import; its credentials go with it. Returns the seconds since it was accepted."""
    lifetime: float = await connection.fetchval(
        """
        UPDATE imports
        SET state = $2, error_code = $3, error_detail = $4, lease_owner = NULL, lease_until = NULL, rate = 0,
            credentials = NULL, finished_at = now(), note = $5, updated_at = now()
        WHERE id = $1
        RETURNING extract(epoch FROM finished_at - created_at)::float8
        """,
        import_id,
        state.value,
        code,
        detail,
        note,
    )
    return lifetime


async def lock_expired(connection: Connection, limit: int) -> list[Import]:
    """Return running imports whose lease has run out, locked, oldest first; those locked by others are left out."""
    rows = await connection.fetch(
        f"""
        SELECT {_COLUMNS} FROM imports WHERE state = 'running' AND lease_until < now()
        ORDER BY lease_until LIMIT $1 FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - fixed text
        limit,
    )
    return [_import(row) for row in rows]


async def overlooked(connection: Connection, *, after: float, limit: int) -> list[int]:
    """Return ids of imports that have been due for `after` seconds with no message on its way or sent since then.

    The span doubles with every message of an import, up to sixteen times: most of those that wait long have their
    message in a long queue, and must not make it longer still.
    """
    rows = await connection.fetch(
        """
        SELECT imports.id
        FROM imports CROSS JOIN LATERAL (
            SELECT count(*) AS messages, count(*) > count(published_at) AS under_way, max(published_at) AS last
            FROM outbox WHERE import_id = imports.id
        ) AS told
        WHERE state IN ('queued', 'waiting') AND due_at < now() - make_interval(secs => $1) AND NOT under_way
          AND (last IS NULL OR last < now() - make_interval(secs => $1 * least(16, 2 ^ (messages - 1))))
        ORDER BY due_at LIMIT $2
        """,
        after,
        limit,
    )
    return [row["id"] for row in rows]


def _import(row: Any) -> Import:
    values = dict(row)
    values["state"] = ImportState(values["state"])
    values["platforms"] = tuple(values["platforms"])
    code = values["error_code"]
    values["error_code"] = None if code is None else Code(code)
    return Import(**values)
