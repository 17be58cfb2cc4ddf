"""Pages in the order of creation start at a day or week; they must equal pages of the fully sorted list."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from shared.db import image_counts
from shared.db.database import Connection, Database, open_database
from shared.db.image_list.page import ImageFilter, ImagePage, Order
from shared.db.image_list.rows import BriefImage, list_images

USERS = ("alice", "bob")
WRITERS = 3
STEPS = 60
IMAGES = 400
# A Monday: a day and a week begin at its midnight.
MONDAY = datetime(2026, 3, 23, tzinfo=UTC)
# Daylight saving time begins within this month: one calendar day has 23 hours.
ZONE = "Europe/Berlin"

INSERT = """
INSERT INTO images (registry_host, repository, tag, status, source, digest, created_by, created_at)
VALUES ('h', 'r/r', $1, $2, 's', 'sha256:1', $3, $4) ON CONFLICT DO NOTHING
"""
ORACLE = """
SELECT id FROM images
WHERE ($1::text IS NULL OR created_by = $1) AND ($2::boolean IS NULL OR (status = 'ready') = $2)
"""


@pytest.fixture
async def crowd(database_url: str) -> AsyncIterator[Database]:
    """A pool for the writers, the reaper's task and the reader."""
    async with open_database(database_url, application="test", size=WRITERS + 2) as database:
        yield database


def moment(dice: random.Random) -> datetime:
    """Return a time within a month, often the first or last moment of a day or week, or one that other images share."""
    day = MONDAY + timedelta(days=dice.randrange(-14, 14))
    return day + dice.choice((timedelta(0), timedelta(microseconds=-1), timedelta(hours=dice.randrange(24))))


async def change(connection: Connection, dice: random.Random, writer: int) -> None:
    """Insert, update or delete images of this writer; a deletion often covers all of a day."""
    tag, status, user = f"{writer}.{dice.randrange(IMAGES)}", dice.choice(("ready", "failed")), dice.choice(USERS)
    kind = dice.randrange(4)
    if kind < 2:
        await connection.execute(INSERT, tag, status, user, moment(dice))
    elif kind == 2:
        await connection.execute(
            "UPDATE images SET status = $2, created_by = $3, created_at = $4 WHERE tag = $1",
            *(tag, status, user, moment(dice)),
        )
    else:
        day = moment(dice)
        await connection.execute(
            "DELETE FROM images WHERE created_at BETWEEN $1 AND $2 AND tag LIKE $3",
            *(day, day + timedelta(hours=6), f"{writer}.%"),
        )


async def compare(connection: Connection, dice: random.Random) -> int:
    """Compare some pages with the fully sorted list in one snapshot; return the number of images."""
    matching = ImageFilter(user_name=dice.choice((None, *USERS, "nobody")), ready=dice.choice((None, True, False)))
    orders: tuple[Order, ...] = ("asc", "desc")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        order = dice.choice(orders)
        rows = await connection.fetch(
            f"{ORACLE} ORDER BY created_at {order}, id {order}", matching.user_name, matching.ready
        )
        for size in (1, 10, 200):
            number = dice.randrange(len(rows) // size + 2)
            page = ImagePage(number=number, size=size, order_by="createdTime", order=order)
            found = await list_images(connection, BriefImage, matching, page)
            wanted = [row["id"] for row in rows[page.offset : page.offset + size]]
            assert (found.total, [image.id for image in found.images]) == (len(rows), wanted), (matching, page)
    return len(rows)


async def test_pages_are_exact_under_concurrent_changes(crowd: Database) -> None:
    """This holds in any snapshot and time zone, during inserts, updates, deletes and summing up."""
    await asyncio.gather(*(fill(crowd, writer) for writer in range(WRITERS)))
    writers = asyncio.gather(*(write(crowd, writer) for writer in range(WRITERS)))
    dice, most = random.Random(WRITERS), 0
    async with crowd.connection() as connection, crowd.connection() as reaper:
        await connection.execute(f"SET TimeZone = '{ZONE}'")
        while not writers.done():
            most = max(most, await compare(connection, dice))
            await image_counts.compact_periods(reaper)
        for _ in range(STEPS):
            most = max(most, await compare(connection, dice))
        await connection.execute("RESET TimeZone")
    await writers
    assert most > IMAGES // 2


async def fill(database: Database, writer: int) -> None:
    dice = random.Random(writer)
    async with database.transaction() as connection:
        for number in range(IMAGES // WRITERS):
            status, user = dice.choice(("ready", "failed")), dice.choice(USERS)
            await connection.execute(INSERT, f"{writer}.{number}", status, user, moment(dice))


async def write(database: Database, writer: int) -> None:
    dice = random.Random(-writer)
    for _ in range(STEPS):
        async with database.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            for _ in range(3):
                await change(connection, dice, writer)
            await (transaction.rollback() if dice.random() < 0.25 else transaction.commit())
