"""Measures claims: the time of one by the number of queued imports, and the number in a second of many workers.

`python -m benchmarks.claims [--queued N ...] [--users N] [--workers N]`
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import asyncpg

from benchmarks.processes import cpu_seconds
from deploy.local.stack import Postgres, Scratch
from shared.db.import_states import claim_next
from shared.db.migrations.migrate import migrate

# A disk that takes this long for a commit. Microseconds.
COMMIT_DELAY = 5_000
# Claims of all workers together in one measurement of their rate.
CLAIMS_AT_ONCE = 2_000
QUEUED_AT_ONCE = 10_000
COMMITS = 20
# Claims of one measurement, each rolled back, so that all of them find the same queue.
CLAIMS = 200
FILL_SECONDS = 600.0
FILL = """
WITH image AS (
    INSERT INTO images (registry_host, repository, tag, status, source, created_by)
    SELECT 'harbor', 'a/b', n::text, 'importing', 'quay.io/a/b:1', 'u' FROM generate_series(1, $1::int) AS n
    RETURNING id, tag
)
INSERT INTO imports (name, image_id, state, source, requested_by)
SELECT 'import-' || tag, id, 'queued', source, 'user-' || tag::int % $2::int
FROM (SELECT id, tag, 'quay.io/a/b:1' AS source FROM image) AS added
"""


async def measure(url: str, queued: int, users: int) -> None:
    """Print the median and the 99th percentile of the claims' times."""
    connection = await asyncpg.connect(url, command_timeout=FILL_SECONDS)
    try:
        await connection.execute("TRUNCATE images CASCADE")
        await connection.execute(FILL, queued, users)
        await connection.execute("VACUUM ANALYZE imports")
        times = sorted([await _time_claim(connection) for _ in range(CLAIMS)])
    finally:
        await connection.close()
    median, high = statistics.median(times), times[int(len(times) * 0.99)]
    print(f"{queued:9} queued, {users:5} users: median {median * 1000:6.2f} ms, p99 {high * 1000:6.2f} ms")


async def _time_claim(connection: asyncpg.Connection[asyncpg.Record]) -> float:
    transaction = connection.transaction()
    await transaction.start()
    started = time.perf_counter()
    claimed = await claim_next(connection, worker="benchmark", lease=30)
    elapsed = time.perf_counter() - started
    await transaction.rollback()
    if claimed is None:
        raise RuntimeError("no import was claimed")
    return elapsed


async def measure_rate(url: str, queued: int, users: int, workers: int) -> None:
    """Print how many claims a second this many workers get, where a commit that waits for the disk takes 5 ms."""
    connection = await asyncpg.connect(url, command_timeout=FILL_SECONDS)
    try:
        await connection.execute("TRUNCATE images CASCADE")
        await connection.execute(FILL, queued, users)
        await connection.execute("VACUUM ANALYZE imports")
        commit = await _time_commit(connection)
    finally:
        await connection.close()
    connections = [await asyncpg.connect(url) for _ in range(workers)]
    backends = [await each.fetchval("SELECT pg_backend_pid()") for each in connections]
    started, computed = time.perf_counter(), sum(map(cpu_seconds, backends))
    counts = await asyncio.gather(*(_claim_many(each, CLAIMS_AT_ONCE // workers) for each in connections))
    seconds, computed = time.perf_counter() - started, sum(map(cpu_seconds, backends)) - computed
    for each in connections:
        await each.close()
    print(
        f"{workers:3} workers at once, commit {commit * 1000:.1f} ms, {queued} queued: "
        f"{sum(counts) / seconds:6.0f} claims a second, {computed / sum(counts) * 1000:.1f} ms of a processor each"
    )


async def _time_commit(connection: asyncpg.Connection[asyncpg.Record]) -> float:
    """Return the time of a statement whose commit waits for the disk; its write is as small as can be."""
    started = time.perf_counter()
    for _ in range(COMMITS):
        await connection.execute("UPDATE images SET description = 'x' WHERE id = (SELECT min(id) FROM images)")
    return (time.perf_counter() - started) / COMMITS


async def _claim_many(connection: asyncpg.Connection[asyncpg.Record], count: int) -> int:
    claims = [await claim_next(connection, worker="benchmark", lease=30) for _ in range(count)]
    return sum(claimed is not None for claimed in claims)


def main() -> None:
    """Read the command line, and measure on a private server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 16])
    given = parser.parse_args()
    with Scratch() as scratch, Postgres(scratch, fsync=False) as postgres:
        migrate(postgres.url)
        for queued in given.queued:
            asyncio.run(measure(postgres.url, queued, given.users))
    with Scratch() as scratch, Postgres(scratch, fsync=True) as postgres:
        migrate(postgres.url)
        asyncio.run(_slow_commits(postgres.url))
        for workers in given.workers:
            asyncio.run(measure_rate(postgres.url, QUEUED_AT_ONCE, given.users, workers))


async def _slow_commits(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"ALTER SYSTEM SET commit_delay = {COMMIT_DELAY}")
        await connection.execute("ALTER SYSTEM SET commit_siblings = 0")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


if __name__ == "__main__":
    main()
