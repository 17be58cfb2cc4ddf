"""Claims in PostgreSQL: one worker gets an import, and the attempt number fences the others."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api_service.background.reaper import reap
from api_service.imports.enqueue import ImportQueue
from api_service.imports.retry_policy import RetryPolicy
from shared.db import import_states, outbox
from shared.db.database import Database, open_database
from shared.db.import_states import ClaimedImport
from shared.db.new_import import NewImport, insert_import
from shared.db.notifications import Notifications
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.model.owner import Owner, Requester
from shared.model.roles import Role
from shared.model.states import ImportState
from tests.import_worker.claiming import claim_named
from tests.import_worker.images import insert_image


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url, application="test", size=10) as database:
        yield database


async def add_import(database: Database, name: str) -> int:
    """Add a queued import of a new image, and return the import's id."""
    async with database.transaction() as connection:
        image_id = await insert_image(connection, "a/b", name)
        return await insert_import(
            connection,
            image_id,
            NewImport(
                name=name,
                source="docker.io/a/b:1",
                platforms=("linux/amd64",),
                credentials=b"sealed",
                requester=Requester(user="somebody", owner=Owner(subject="somebody"), role=Role.USER),
            ),
            WakeUpReason.REQUESTED,
        )


async def claim(database: Database, name: str, worker: str = "one") -> ClaimedImport | None:
    return await claim_named(database, name, worker=worker)


async def test_one_of_many_workers_gets_an_import(database: Database) -> None:
    """A message delivered ten times at once is one attempt."""
    await add_import(database, "wanted")

    async def claim_any(worker: str) -> ClaimedImport | None:
        async with database.connection() as connection:
            return await import_states.claim_next(connection, worker=worker, lease=30)

    claims = await asyncio.gather(*(claim_any(f"worker-{n}") for n in range(10)))
    (claimed,) = [claimed for claimed in claims if claimed]
    assert claimed == ClaimedImport(
        name="wanted",
        attempt=1,
        source="docker.io/a/b:1",
        source_digest=None,
        platforms=("linux/amd64",),
        repository="a/b",
        tag="wanted",
    )


async def test_a_handed_back_import_is_a_new_attempt(database: Database) -> None:
    """Each claim increments the attempt, which distinguishes the first worker's late reports."""
    import_id = await add_import(database, "returned")
    await claim(database, "returned")
    async with database.connection() as connection:
        await import_states.requeue(connection, import_id, failed=False)
    again = await claim(database, "returned", "two")
    assert again
    assert again.attempt == 2


async def test_two_claims_of_one_attempt_have_different_tokens(database: Database) -> None:
    """A failover of the database that lost the first claim gives its attempt again."""
    await add_import(database, "lost")
    first = await claim(database, "lost")
    async with database.connection() as connection:
        await connection.execute("UPDATE imports SET state = 'queued', attempt = 0, lease_until = NULL")
    second = await claim(database, "lost")
    assert first
    assert second
    assert (first.attempt, second.attempt) == (1, 1)
    assert first.claim_token
    assert second.claim_token
    assert first.claim_token != second.claim_token


async def test_a_claim_returns_how_many_workers_were_lost_with_the_import(database: Database) -> None:
    """Workers that handed the import back are not counted."""
    import_id = await add_import(database, "unlucky")
    queue = ImportQueue(database=database, notifications=Notifications("", ()))
    for lost in range(3):
        claimed = await claim(database, "unlucky")
        assert claimed
        assert claimed.lost == lost
        async with database.transaction() as connection:
            await connection.execute("UPDATE imports SET lease_until = now() - interval '1 second'")
        await reap(queue, RetryPolicy(max_failures=9, base=1))
        assert await claim(database, "unlucky")
        async with database.transaction() as connection:
            await import_states.requeue(connection, import_id, failed=False)
            await outbox.add(connection, import_id, WakeUpReason.HANDED_BACK)


async def test_a_parked_import_is_not_claimed_before_its_time(database: Database) -> None:
    """A message that arrives early changes nothing."""
    import_id = await add_import(database, "parked")
    await claim(database, "parked")
    async with database.connection() as connection:
        await import_states.park(
            connection, import_id, delay=3600, code=Code.SOURCE_RATE_LIMITED, detail="later", failed=False
        )
    assert await claim(database, "parked") is None


@pytest.mark.parametrize("state", [ImportState.READY, ImportState.CANCELLED])
async def test_an_ended_import_is_not_claimed(database: Database, state: ImportState) -> None:
    """Old messages for it are harmless, and its credentials are gone."""
    import_id = await add_import(database, "ended")
    await claim(database, "ended")
    async with database.connection() as connection:
        await import_states.finish(connection, import_id, state)
        assert await connection.fetchval("SELECT credentials FROM imports WHERE id = $1", import_id) is None
    assert await claim(database, "ended") is None


async def test_nothing_claims_what_does_not_exist(database: Database) -> None:
    """A message for a deleted image is dropped."""
    assert await claim(database, "never") is None
