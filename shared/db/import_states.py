"""Changes an import's state: claimed by a worker, requeued, parked, finished. PostgreSQL checks each transition.

Times are the database's own, so that no service's clock matters.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.db.access import import_usage
from shared.db.database import Connection
from shared.errors.codes import Code
from shared.model.states import ImportState


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedImport:
    """The import that a claim gave to a worker. `attempt` and `claim_token` together are the fencing token.

    The source's account is not part of it: the API gives it to the attempt that holds the import.

    `request_id` and `traceparent` are those of the request that the import comes from. `waited` is the number of
    seconds for which the import could have been claimed. `lost` is the number of its workers that lost their lease and
    have not come back.
    """

    name: str
    attempt: int
    claim_token: UUID | None = field(default=None, compare=False)
    source: str
    source_digest: str | None
    platforms: tuple[str, ...]
    repository: str
    tag: str
    with_referrers: bool = True
    request_id: str | None = None
    traceparent: str | None = field(default=None, compare=False)
    waited: float = field(default=0.0, compare=False)
    lost: int = 0


async def claim_next(
    connection: Connection, *, worker: str, lease: float, most_running: int | None = None
) -> ClaimedImport | None:
    """Lease the due import whose turn it is to a worker; None where no import is due, or all users have their share.

    It is the oldest one of the user with the fewest running imports by weight; among equals, of the user whose newest
    claim is the oldest. A user with `most_running` running imports gets none. The order and its cost are those of the
    database's function `claim_import`; why: docs/decisions/0048.

    The next claim waits for this one's commit, which does not wait for the disk: a claim that a crash of the database
    loses gave nothing away, because the API gives the attempt its terms in a later commit, and refuses its token then.
    """
    row = await connection.fetchrow(
        """
        SELECT claimed.*
        FROM set_config('synchronous_commit', 'off', true), claim_import($1, $2, $3) AS claimed
        """,
        worker,
        lease,
        most_running,
    )
    return ClaimedImport(**{**dict(row), "platforms": tuple(row["platforms"])}) if row else None


async def requeue(connection: Connection, import_id: int, *, failed: bool) -> None:
    """Queue a running import again, due at once; `failed` counts the attempt against the limit."""
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
    connection: Connection, import_id: int, *, delay: float, code: Code, detail: str, failed: bool
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
    code: Code | None = None,
    detail: str | None = None,
    note: str = "",
) -> float:
    """End an import and delete its credentials; return the seconds since it was accepted.

    The part of its month's bytes that was not transferred is given back, unless the image is ready.
    """
    row = await connection.fetchrow(
        """
        UPDATE imports
        SET state = $2, error_code = $3, error_detail = $4, lease_owner = NULL, lease_until = NULL, rate = 0,
            credentials = NULL, finished_at = now(), note = $5, updated_at = now()
        WHERE id = $1
        RETURNING extract(epoch FROM finished_at - created_at)::float8 AS lifetime,
                  coalesce(admitted_bytes > bytes_done, false) AS has_unused_bytes
        """,
        import_id,
        state.value,
        code,
        detail,
        note,
    )
    if row is None:
        raise LookupError(f"there is no import {import_id}")
    if row["has_unused_bytes"] and state is not ImportState.READY:
        await import_usage.give_back_unused(connection, import_id)
    lifetime: float = row["lifetime"]
    return lifetime
