"""The claim chooses: whose turn it is, and that none is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from shared.db import import_states
from shared.db.database import Database, open_database
from shared.db.import_states import ClaimedImport
from shared.db.new_import import NewImport, insert_import
from shared.db.outbox import WakeUpReason
from shared.model.owner import Owner, Requester
from shared.model.roles import Role
from shared.model.states import ImportState
from tests.import_worker.images import insert_image


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, application="test", size=10) as database:
        yield database


async def add(database: Database, owner: str, count: int, *, user: str = "ada", weight: int = 1) -> None:
    """Add imports of this owner, which are named after the owner, oldest first."""
    for number in range(count):
        async with database.transaction() as connection:
            image_id = await insert_image(connection, owner, str(number))
            new = NewImport(
                name=f"{owner}-{number}",
                source="docker.io/a/b:1",
                requester=Requester(user=user, owner=Owner(issuer="https://id", subject=owner), role=Role.USER),
                weight=weight,
            )
            await insert_import(connection, image_id, new, WakeUpReason.REQUESTED)


async def claim(database: Database, most_running: int | None = None) -> ClaimedImport | None:
    async with database.connection() as connection:
        return await import_states.claim_next(connection, worker="one", lease=30, most_running=most_running)


async def names(database: Database, count: int) -> list[str]:
    claims = [await claim(database) for _ in range(count)]
    return [claimed.name for claimed in claims if claimed]


def owners(claimed: Sequence[str]) -> list[str]:
    return [name.partition("-")[0] for name in claimed]


async def finish(database: Database, name: str) -> None:
    async with database.connection() as connection:
        import_id = await connection.fetchval("SELECT id FROM imports WHERE name = $1", name)
        await import_states.finish(connection, import_id, ImportState.READY)


async def test_a_late_user_is_next(database: Database) -> None:
    """Although the name for display is the same; within a user, the oldest import comes first."""
    await add(database, "many", 20)
    assert await names(database, 3) == ["many-0", "many-1", "many-2"]
    await add(database, "few", 4)
    assert owners(await names(database, 3)) == ["few"] * 3
    assert sorted(owners(await names(database, 2))) == ["few", "many"]


async def test_users_take_turns_at_one_slot(database: Database) -> None:
    """No import runs at the moment of a claim, so that running imports alone decide nothing."""
    await add(database, "many", 20)
    await add(database, "few", 3)
    order = []
    for _ in range(6):
        (name,) = await names(database, 1)
        await finish(database, name)
        order.append(name)
    assert sorted(owners(order[:2])) == ["few", "many"]
    assert owners(order[2:4]) == owners(order[:2]) == owners(order[4:])


async def test_a_weight_is_a_share(database: Database) -> None:
    """By running imports: twice the weight, twice the imports."""
    await add(database, "one", 20)
    await add(database, "two", 20, weight=2)
    claimed = owners(await names(database, 12))
    assert claimed.count("two") == 8


async def test_a_claim_does_not_wait_for_the_disk(database: Database) -> None:
    """The next claim waits for this one's commit; other statements of the connection are safe as before."""
    await add(database, "many", 1)
    async with database.connection() as connection:
        await connection.execute("SET synchronous_commit = on")
        async with connection.transaction():
            assert await import_states.claim_next(connection, worker="one", lease=30)
            assert await connection.fetchval("SHOW synchronous_commit") == "off"
        assert await connection.fetchval("SHOW synchronous_commit") == "on"


async def test_a_user_at_the_limit_gets_none(database: Database) -> None:
    """The next one follows as soon as one has ended."""
    await add(database, "many", 5)
    assert await claim(database, most_running=2)
    assert await claim(database, most_running=2)
    assert await claim(database, most_running=2) is None
    await finish(database, "many-0")
    claimed = await claim(database, most_running=2)
    assert claimed
    assert claimed.name == "many-2"


async def test_a_reserved_slot_is_for_a_user_who_has_none_running(database: Database) -> None:
    """As a worker claims whose other slots are taken: with at most one running import, in any worker."""
    await add(database, "many", 5)
    assert await names(database, 2) == ["many-0", "many-1"]
    assert await claim(database, most_running=1) is None
    await add(database, "few", 2)
    claimed = await claim(database, most_running=1)
    assert claimed
    assert claimed.name == "few-0"
    assert await claim(database, most_running=1) is None


async def test_claims_at_once_keep_the_limit_and_forget_none(database: Database) -> None:
    """Each import is claimed once, and no claim at the same moment exceeds the limit."""
    for owner in ("a", "b", "c"):
        await add(database, owner, 5)
    limited = [found for found in await asyncio.gather(*(claim(database, 2) for _ in range(10))) if found]
    assert sorted(owners([found.name for found in limited])) == ["a", "a", "b", "b", "c", "c"]
    others = [found for found in await asyncio.gather(*(claim(database) for _ in range(10))) if found]
    assert len({found.name for found in (*limited, *others)}) == 15


async def test_a_locked_import_delays_no_other(database: Database) -> None:
    """A cancellation that hangs holds the oldest one."""
    await add(database, "many", 2)
    async with database.transaction() as holder:
        await holder.execute("SELECT FROM imports WHERE name = 'many-0' FOR UPDATE")
        assert await names(database, 2) == ["many-1"]
    assert await names(database, 2) == ["many-0"]


async def test_what_is_not_due_is_not_claimed(database: Database) -> None:
    """A waiting import is another user's gain."""
    await add(database, "many", 2)
    async with database.connection() as connection:
        await connection.execute("UPDATE imports SET due_at = now() + interval '1 hour' WHERE name = 'many-0'")
    assert await names(database, 2) == ["many-1"]


async def test_no_user_is_forgotten_among_a_thousand(database: Database) -> None:
    """More than one claim looks at."""
    async with database.connection() as connection:
        await connection.execute(
            """
            WITH image AS (
                INSERT INTO images (registry_host, repository, tag, status, source, created_by)
                SELECT 'h', 'a/b', n::text, 'importing', 's', 'u' FROM generate_series(1, 1000) AS n RETURNING id, tag
            )
            INSERT INTO imports (name, image_id, state, source, requested_by)
            SELECT 'import-' || tag, id, 'queued', 's', 'user-' || tag FROM image
            """
        )
    assert len(set(await names(database, 1000))) == 1000
