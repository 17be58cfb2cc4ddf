"""Measures a claim by the number of queued imports: `python -m benchmarks.claims [--queued N ...] [--users N]`."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time

import asyncpg

from deploy.local.stack import Postgres, Scratch
from shared.db.import_states import claim_next
from shared.db.migrations.migrate import migrate

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


def main() -> None:
    """Read the command line, and measure on a private server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--users", type=int, default=20)
    given = parser.parse_args()
    with Scratch() as scratch, Postgres(scratch, fsync=False) as postgres:
        migrate(postgres.url)
        for queued in given.queued:
            asyncio.run(measure(postgres.url, queued, given.users))


if __name__ == "__main__":
    main()
