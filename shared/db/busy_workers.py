"""Which workers carry out imports now, by the leases that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.db.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyWorker:
    """A worker by its name, and how many imports it holds a lease on."""

    name: str
    imports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyWorkers:
    """`total` counts all of them, `first` has those with most imports."""

    total: int
    first: Sequence[BusyWorker]


async def busy_workers(connection: Connection, *, limit: int) -> BusyWorkers:
    """Read running imports alone, through their partial index; so many workers at most are named."""
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
