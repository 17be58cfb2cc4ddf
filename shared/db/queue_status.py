"""The state of the queue: open imports, imports to be claimed, messages to be published, registries with a rate limit.

The statements read open imports, unpublished rows and limits alone, each through a partial index or from a small table,
so that a history of millions costs nothing. Times are seconds by the database's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.db.database import Connection
from shared.model.states import OPEN_STATES, ImportState


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRegistry:
    """A registry whose rate limit lasts for `resumes_in` more seconds, with the lowest share of its accounts."""

    host: str
    scope: str
    resumes_in: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """`due` imports wait only for a worker, the oldest for `oldest_due` seconds (0 where there is none).

    `expired` counts running imports whose lease has expired. `unpublished` outbox rows are due, the oldest for
    `outbox_lag` seconds. `held_registries` counts all rate-limited registries, `held` has those limited longest.
    """

    imports: Mapping[ImportState, int]
    due: int
    oldest_due: float
    expired: int
    unpublished: int
    outbox_lag: float
    held_registries: int
    held: Sequence[HeldRegistry]


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyWorker:
    """A worker's name, and the number of imports that it holds a lease on."""

    name: str
    imports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyWorkers:
    """`total` counts all workers that hold a lease, `first` has those with the most imports."""

    total: int
    first: Sequence[BusyWorker]


async def queue_status(connection: Connection, *, registries: int) -> QueueStatus:
    """Read the state of the queue, with at most `registries` rate-limited registries."""
    by_state = await connection.fetch(
        """
        SELECT state, count(*) AS imports,
               count(*) FILTER (WHERE state <> 'running' AND due_at <= now()) AS due,
               count(*) FILTER (WHERE lease_until < now()) AS expired,
               coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE state <> 'running')), 0)::float8 AS oldest
        FROM imports WHERE state IN ('queued', 'running', 'waiting') GROUP BY state
        """
    )
    outbox = await connection.fetchrow(
        """
        SELECT count(*) AS rows, coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8 AS lag
        FROM outbox WHERE published_at IS NULL AND due_at <= now()
        """
    )
    held = await connection.fetch(
        """
        SELECT host, scope, max(extract(epoch FROM resumes_at - now()))::float8 AS resumes_in, min(share) AS share,
               count(*) OVER () AS registries
        FROM registry_limits WHERE resumes_at > now() GROUP BY host, scope ORDER BY resumes_in DESC, host LIMIT $1
        """,
        registries,
    )
    counts = {row["state"]: row["imports"] for row in by_state}
    return QueueStatus(
        imports={state: counts.get(state.value, 0) for state in OPEN_STATES},
        due=sum(row["due"] for row in by_state),
        oldest_due=max((row["oldest"] for row in by_state if row["due"]), default=0.0),
        expired=sum(row["expired"] for row in by_state),
        unpublished=outbox["rows"] if outbox else 0,
        outbox_lag=outbox["lag"] if outbox else 0.0,
        held_registries=held[0]["registries"] if held else 0,
        held=[HeldRegistry(**{name: row[name] for name in HeldRegistry.__slots__}) for row in held],
    )


async def busy_workers(connection: Connection, *, limit: int) -> BusyWorkers:
    """Read the running imports alone, through their partial index; return at most `limit` workers by name."""
    rows = await connection.fetch(
        """
        SELECT lease_owner AS name, count(*) AS imports, count(*) OVER () AS total FROM imports
        WHERE state = 'running' AND lease_until >= now() GROUP BY lease_owner ORDER BY imports DESC, name LIMIT $1
        """,
        limit,
    )
    return BusyWorkers(
        total=rows[0]["total"] if rows else 0,
        first=[BusyWorker(name=row["name"], imports=row["imports"]) for row in rows],
    )
