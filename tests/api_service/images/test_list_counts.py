"""Triggers maintain the counts of a list; at any moment they must equal the result of counting."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial

import pytest

from shared.db import image_counts
from shared.db.database import Connection, Database, open_database

USERS = ("alice", "bob", "")
STATUSES = ("ready", "importing", "failed")
WRITERS = 6
STEPS = 40

# Compares the stored and the real counts in one statement, and so in one snapshot; NULL means all users.
DIFFERENCE = """
WITH kept AS (
    SELECT created_by, ready, sum(images) AS images FROM image_counts GROUP BY 1, 2 HAVING sum(images) <> 0
), counted AS (
    SELECT created_by, status = 'ready' AS ready, count(*) AS images FROM images
    GROUP BY GROUPING SETS ((created_by, status = 'ready'), (status = 'ready'))
    HAVING count(*) <> 0
)
SELECT * FROM (TABLE kept EXCEPT TABLE counted) AS too_much
UNION ALL
SELECT * FROM (TABLE counted EXCEPT TABLE kept) AS missing
"""

# Counts of all users are by day, those of one user by week, which begins on Monday in UTC.
DIFFERENCE_OF_PERIODS = """
WITH kept AS (
    SELECT created_by, ready, starts_at, sum(images) AS images FROM image_periods
    GROUP BY 1, 2, 3 HAVING sum(images) <> 0
), placed AS (
    SELECT *, date_trunc('day', created_at, 'UTC') AS day, date_trunc('week', created_at, 'UTC') AS week FROM images
), counted AS (
    SELECT created_by, status = 'ready' AS ready, week AS starts_at, count(*) AS images FROM placed GROUP BY 1, 2, 3
    UNION ALL
    SELECT NULL, status = 'ready' AS ready, day, count(*) FROM placed GROUP BY 1, 2, 3
)
SELECT * FROM (TABLE kept EXCEPT TABLE counted) AS too_much
UNION ALL
SELECT * FROM (TABLE counted EXCEPT TABLE kept) AS missing
"""

INSERT = """
INSERT INTO images (registry_host, repository, tag, status, source, digest, created_by, created_at)
SELECT 'h', 'r/r', tag, $1, 's', 'sha256:1', $2, timestamptz '2026-03-01' + ascii(right(tag, 1)) * interval '18 hours'
FROM unnest($3::text[]) AS tag
ON CONFLICT DO NOTHING
"""


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """A pool large enough for every writer, the reader and the reaper."""
    async with open_database(database_url, application="test", size=WRITERS + 3) as database:
        yield database


async def check(connection: Connection) -> None:
    assert await connection.fetch(DIFFERENCE) == []
    assert await connection.fetch(DIFFERENCE_OF_PERIODS) == []


async def test_counts_equal_counting_under_random_concurrent_changes(crowd: Database) -> None:
    """Multi-row inserts with conflicts, updates, deletes and rollbacks run while counts are summed up and read."""
    running = asyncio.Event()
    others = [
        asyncio.create_task(_repeat(crowd, step, running))
        for step in (
            partial(image_counts.compact_counts, limit=5),
            partial(image_counts.compact_periods, limit=5),
            check,
        )
    ]
    await asyncio.gather(*(_write(crowd, number) for number in range(WRITERS)))
    running.set()
    looks = await asyncio.gather(*others)
    assert min(looks) > 0
    async with crowd.connection() as connection:
        await check(connection)
        assert await connection.fetchval("SELECT count(*) FROM images") > 0
        await image_counts.compact_counts(connection)
        await check(connection)
        await image_counts.compact_periods(connection)
        await check(connection)
        rows = await connection.fetch("SELECT 1 FROM image_counts GROUP BY created_by, ready HAVING count(*) > 1")
        assert rows == []
        rows = await connection.fetch(
            "SELECT FROM image_periods GROUP BY created_by, ready, starts_at HAVING count(*) > 1 OR NOT every(summed)"
        )
        assert rows == []


async def _repeat(database: Database, step: Callable[[Connection], Awaitable[object]], end: asyncio.Event) -> int:
    times = 0
    while not end.is_set():
        async with database.connection() as connection:
            await step(connection)
        times += 1
    return times


async def _write(database: Database, writer: int) -> None:
    """Change the writer's own rows, so that no writer waits for another; all writers share users and statuses."""
    dice = random.Random(writer)
    for _ in range(STEPS):
        async with database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            for _ in range(dice.randint(1, 3)):
                await _change(connection, writer, dice)
            await (transaction.rollback() if dice.random() < 0.25 else transaction.commit())


async def _change(connection: Connection, writer: int, dice: random.Random) -> None:
    tags = [f"v{writer}.{number}" for number in dice.sample(range(12), dice.randint(1, 6))]
    status, user = dice.choice(STATUSES), dice.choice(USERS)
    kind = dice.randrange(4)
    if kind < 2:
        await connection.execute(INSERT, status, user, tags)
    elif kind == 2:
        await connection.execute(
            "UPDATE images SET status = $1, created_by = $2, created_at = created_at + $4 WHERE tag = ANY($3)",
            *(status, user, tags, timedelta(hours=dice.choice((0, 1, 200)))),
        )
    else:
        await connection.execute("DELETE FROM images WHERE tag = ANY($1)", tags)


async def test_a_table_emptied_at_once_counts_nothing(crowd: Database) -> None:
    async with crowd.connection() as connection:
        await connection.execute(INSERT, "ready", "alice", ["1", "2", "3"])
        await connection.execute("TRUNCATE images CASCADE")
        await check(connection)
        assert await connection.fetchval("SELECT count(*) FROM image_counts") == 0
        assert await connection.fetchval("SELECT count(*) FROM image_periods") == 0
