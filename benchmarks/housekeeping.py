"""Measures the API's background work with a long queue: `python -m benchmarks.housekeeping [--imports N]`.

The database has N queued imports, N old rows each of outbox and audit log, N images whose numbers are not added up yet,
and one image with N rows of history. Each figure is the time of one transaction; the services' time limits hold, so a
statement that exceeds them ends the program.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import asyncpg
import structlog

from api_service.background import wake_ups
from api_service.background.purge import Purger
from api_service.background.reaper import reap
from api_service.background.wake_ups import WakeUpRepeater
from api_service.images.deletion.carry_out import HISTORY_BATCH
from api_service.imports.enqueue import ImportQueue
from api_service.imports.retry_policy import RetryPolicy
from deploy.local.stack import Postgres, Scratch
from shared.db import deletions
from shared.db.database import Database
from shared.db.migrations.migrate import migrate
from shared.db.notifications import Notifications

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from shared.db.database import Connection

# Running imports whose worker is lost.
LOST = 1_000
# Rounds of the search for lost wake-ups.
ROUNDS = 20
# Rows of the long history that each of its imports has.
LAYERS = 100
# The longest transaction that is held to be small. Seconds.
LIMIT = 1.0
# A million rows of each table take some minutes. Seconds.
FILL_SECONDS = 3_600.0

# The trigger that counts each new image, and the index of their names' parts, take longer than all the rest: the rows
# of the trigger are added afterwards, and the background work does not read that index.
FILL = (
    """
    INSERT INTO images (registry_host, repository, tag, status, source, created_by, created_at)
    SELECT 'h', 'team/app-' || n / 50, 'v' || n, 'importing', 's:1', 'user-' || n % 400,
           now() - n * interval '90 seconds'
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO image_counts (created_by, ready, images)
    SELECT unnest(ARRAY[created_by, NULL]), false, 1 FROM images WHERE $1::int > 0
    """,
    """
    INSERT INTO image_periods (created_by, ready, starts_at, images)
    SELECT created_by, false, date_bin('168 hours', created_at, '2000-01-03 00:00+00'), 1 FROM images WHERE $1::int > 0
    UNION ALL
    SELECT NULL, false, date_bin('24 hours', created_at, '2000-01-03 00:00+00'), 1 FROM images
    """,
    """
    INSERT INTO imports (name, image_id, state, source, requested_by, due_at)
    SELECT 'queued-' || id, id, 'queued', source, created_by, now() - interval '2 minutes' - id * interval '1 ms'
    FROM images WHERE $1::int > 0
    """,
    """
    INSERT INTO outbox (import_id, reason, due_at, published_at)
    SELECT id, 'requested', due_at, now() FROM imports WHERE $1::int > 0
    """,
    """
    INSERT INTO outbox (import_id, reason, due_at, published_at)
    SELECT id, 'requested', due_at, now() - interval '2 days' FROM imports WHERE $1::int > 0
    """,
    """
    INSERT INTO audit_events (operation, status, at)
    SELECT 'startImport', 200, now() - interval '400 days' FROM generate_series(1, $1::int)
    """,
)
LOSE = """
UPDATE imports SET state = 'running', attempt = 1, lease_until = now() - interval '1 second'
WHERE id % greatest((SELECT count(*) FROM images) / $1::int, 1) = 0
"""
HISTORY = """
WITH image AS (
    INSERT INTO images (registry_host, repository, tag, status, source, created_by)
    VALUES ('h', 'team/often', 'latest', 'failed', 's:1', 'robot') RETURNING id
), old AS (
    INSERT INTO imports (name, image_id, state, source, requested_by, finished_at)
    SELECT 'old-' || n, id, 'cancelled', 's:1', 'robot', now()
    FROM image, generate_series(1, $1::int / $2::int + 1) AS n
    RETURNING id
), layers AS (
    INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status)
    SELECT id, 'sha256:' || encode(sha256(n::text::bytea), 'hex'), n, 1, 1, 'completed'
    FROM old, generate_series(1, $2::int) AS n
)
SELECT id FROM image
"""

LEFT = """
SELECT EXISTS (SELECT FROM imports WHERE state = 'running') OR EXISTS (SELECT FROM images WHERE id = $1)
    OR EXISTS (SELECT FROM outbox WHERE published_at < now() - interval '1 day') OR EXISTS (SELECT FROM audit_events)
    OR EXISTS (SELECT FROM image_periods WHERE NOT summed)
    OR EXISTS (SELECT FROM image_counts GROUP BY created_by, ready HAVING count(*) > 1)
"""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """The transactions of one kind of work, in seconds, and how many rows or imports they handled."""

    name: str
    rows: int
    seconds: list[float]

    def line(self) -> str:
        """Return the figure as a line of the table."""
        milliseconds = [1_000 * value for value in self.seconds]
        return (
            f"{self.name:30}{self.rows:>10}{len(milliseconds):>14}"
            f"{median(milliseconds):>12.1f}{max(milliseconds):>12.1f}{sum(self.seconds):>10.1f}"
        )


class TimedDatabase(Database):
    """A database that notes how long each of its transactions takes, in seconds."""

    seconds: list[float]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction."""
        started = perf_counter()
        async with super().transaction() as connection:
            yield connection
        self.seconds.append(perf_counter() - started)


async def measure(url: str, imports: int) -> list[Figure]:
    """Fill the database and return the figures."""
    image_id = await _fill(url, imports)
    opened = await TimedDatabase.open(url, application="benchmark", size=4)
    assert isinstance(opened, TimedDatabase)
    try:
        figures = [figure async for figure in _figures(opened, image_id, imports)]
        async with opened.connection() as connection:
            if await connection.fetchval(LEFT, image_id):
                raise RuntimeError("the work has left rows behind")
        return figures
    finally:
        await opened.close()


async def _fill(url: str, imports: int) -> int:
    """Return the id of the image with the long history."""
    connection = await asyncpg.connect(url, command_timeout=FILL_SECONDS)
    try:
        await connection.execute("ALTER TABLE images DISABLE TRIGGER images_counted; DROP INDEX images_by_trigrams")
        for statement in FILL:
            await connection.execute(statement, imports)
        await connection.execute("ALTER TABLE images ENABLE TRIGGER images_counted")
        await connection.execute(LOSE, LOST)
        image_id: int = await connection.fetchval(HISTORY, imports, LAYERS)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
    return image_id


async def _figures(database: TimedDatabase, image_id: int, imports: int) -> AsyncIterator[Figure]:
    queue = ImportQueue(database=database, notifications=Notifications("", ()))
    yield await _timed(database, "leases taken back", LOST, lambda: reap(queue, RetryPolicy(max_failures=5, base=1)))
    repeater = WakeUpRepeater(queue)
    rounds = ROUNDS * wake_ups.PAGE
    yield await _timed(database, "due imports looked at", rounds, lambda: _repeat(ROUNDS, repeater.repeat))
    yield await _timed(database, "rows of one image deleted", imports, lambda: _delete(database, image_id))
    yield await _timed(database, "rows purged, numbers added up", 6 * imports, lambda: _purge(database))


async def _timed(database: TimedDatabase, name: str, rows: int, work: Callable[[], Awaitable[None]]) -> Figure:
    database.seconds = []
    await work()
    return Figure(name=name, rows=rows, seconds=database.seconds)


async def _repeat(times: int, work: Callable[[], Awaitable[None]]) -> None:
    for _ in range(times):
        await work()


async def _purge(database: TimedDatabase) -> None:
    """Run rounds until a round has only the one transaction of each job that finds nothing."""
    purger = Purger(database)
    busy = True
    while busy:
        before = len(database.seconds)
        await purger.purge()
        busy = len(database.seconds) - before > len(purger.jobs)
        if len(database.seconds) - before < len(purger.jobs):
            raise RuntimeError("a job of the purger failed, see `part.down` in the log")


async def _delete(database: TimedDatabase, image_id: int) -> None:
    async with database.connection() as connection:
        until = await deletions.begin(connection, image_id, user="robot", lease=FILL_SECONDS)
    deleted = 1
    while deleted:
        async with database.transaction() as connection:
            deleted = await deletions.delete_history(connection, image_id, until, limit=HISTORY_BATCH)
    async with database.transaction() as connection:
        await deletions.finish(connection, image_id, until)


def main() -> None:
    """Read the command line, measure on a private server, and end with 1 if a transaction was not small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--imports", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with Scratch() as scratch, Postgres(scratch) as postgres:
        migrate(postgres.url)
        figures = asyncio.run(measure(postgres.url, given.imports))
    print(f"{given.imports} queued imports; milliseconds of one transaction, seconds of all")
    print(f"{'':30}{'rows':>10}{'transactions':>14}{'median':>12}{'longest':>12}{'all':>10}")
    for figure in figures:
        print(figure.line())
    longest = max(max(figure.seconds) for figure in figures)
    if given.json:
        report = {"imports": given.imports, "longest": longest, "figures": [asdict(figure) for figure in figures]}
        given.json.write_text(json.dumps(report, indent=2))
    sys.exit(longest > LIMIT)


if __name__ == "__main__":
    main()
