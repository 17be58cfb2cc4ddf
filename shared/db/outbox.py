"""The transactional outbox: messages to publish, written in the transaction that makes them true."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.db.database import Connection

# The channel on which a process hints to its own relay that it has written to the outbox.
CHANNEL = "longshore_outbox"


class WakeUpReason(StrEnum):
    """Why a worker is woken for an import."""

    REQUESTED = "requested"
    """A request started the import."""
    RETRIED = "retried"
    """A user started a failed or cancelled import again."""
    RETRY = "retry"
    """An attempt failed, and the retry policy grants another one."""
    HANDED_BACK = "handed_back"
    """A stopping worker gave the import back."""
    LEASE_LOST = "lease_lost"
    """The worker stopped reporting; the number of these rows is the number of workers lost with the import."""
    LEASE_MISSED = "lease_missed"
    """Replaces LEASE_LOST if that worker reports again: it was cut off, not lost."""
    REPUBLISHED = "republished"
    """The import has been due for long, and no message for it is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One message to publish; `attempt` is the number of claims of the import so far."""

    id: int
    import_name: str
    attempt: int
    reason: str
    source: str
    target: str
    requested_by: str
    traceparent: str | None = None


async def add(connection: Connection, import_id: int, reason: WakeUpReason, *, delay: float = 0) -> None:
    """Add a message that wakes a worker for this import in `delay` seconds."""
    await connection.execute(
        "INSERT INTO outbox (import_id, reason, due_at) VALUES ($1, $2, now() + make_interval(secs => $3))",
        import_id,
        reason,
        delay,
    )


async def add_all(connection: Connection, import_ids: Sequence[int], reason: WakeUpReason) -> None:
    """Add a message for each of these imports, due at once."""
    await connection.execute(
        "INSERT INTO outbox (import_id, reason) SELECT *, $2 FROM unnest($1::bigint[])", list(import_ids), reason
    )


async def lock_due(connection: Connection, limit: int) -> list[OutboxRow]:
    """Return due rows, locked, oldest first; skip rows that another relay instance has locked."""
    rows = await connection.fetch(
        """
        SELECT outbox.id, imports.name AS import_name, imports.attempt, outbox.reason, imports.source,
               images.repository || ':' || images.tag AS target, imports.requested_by,
               imports.traceparent
        FROM outbox JOIN imports ON imports.id = outbox.import_id JOIN images ON images.id = imports.image_id
        WHERE outbox.published_at IS NULL AND outbox.due_at <= now()
        ORDER BY outbox.due_at, outbox.id LIMIT $1
        FOR UPDATE OF outbox SKIP LOCKED
        """,
        limit,
    )
    return [OutboxRow(**dict(row)) for row in rows]


async def mark_published(connection: Connection, ids: Sequence[int]) -> None:
    """Record that the broker has confirmed these messages."""
    await connection.execute("UPDATE outbox SET published_at = now() WHERE id = ANY($1::bigint[])", list(ids))


async def seconds_to_next(connection: Connection) -> float | None:
    """Return the seconds until the next unpublished row is due (0 where one is due), None where there is none."""
    seconds: float | None = await connection.fetchval(
        """
        SELECT greatest(0, extract(epoch FROM due_at - now()))::float8
        FROM outbox WHERE published_at IS NULL ORDER BY due_at LIMIT 1
        """
    )
    return seconds


async def excuse_lost_lease(connection: Connection, import_name: str) -> None:
    """Count one lost lease less: its worker has come back, so this import did not end it."""
    await connection.execute(
        """
        UPDATE outbox SET reason = $3 WHERE id = (
            SELECT max(outbox.id) FROM outbox JOIN imports ON imports.id = import_id
            WHERE imports.name = $1 AND reason = $2
        )
        """,
        import_name,
        WakeUpReason.LEASE_LOST,
        WakeUpReason.LEASE_MISSED,
    )


async def purge(connection: Connection, *, older_than: float, limit: int) -> int:
    """Delete at most `limit` of the rows that were published more than `older_than` seconds ago; return their number.

    Rows that another transaction has locked are left to a later call.
    """
    status = await connection.execute(
        """
        DELETE FROM outbox WHERE id = ANY (ARRAY(
            SELECT id FROM outbox WHERE published_at < now() - make_interval(secs => $1)
            ORDER BY published_at LIMIT $2 FOR UPDATE SKIP LOCKED
        ))
        """,
        older_than,
        limit,
    )
    return int(status.rpartition(" ")[2])
