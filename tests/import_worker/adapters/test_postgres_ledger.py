"""Blob transfers in PostgreSQL: of all imports that need a blob, one transfers it, and none waits for a dead worker."""

import asyncio

import pytest

from import_worker.copying.ends import MountFrom, StartTransfer, WaitForTransfer
from shared.db import import_states
from tests.import_worker.adapters.claims import BLOB, SMALL, Imports

TAKEN_AWAY = "UPDATE imports SET state = 'queued', lease_until = NULL WHERE id = $1"


async def test_one_of_many_imports_transfers_a_blob(claims: Imports) -> None:
    """Ten imports ask at once: one transfers the blob, nine wait."""
    ledgers = [await claims.claimed(f"import-{n}") for n in range(10)]
    steps = await asyncio.gather(*(ledger.next_step(BLOB) for ledger in ledgers))
    assert sorted(map(str, steps)) == [str(StartTransfer())] + [str(WaitForTransfer(0))] * 9


async def test_a_waiting_import_mounts_a_completed_blob(claims: Imports) -> None:
    """The end of the transfer and the ledger's row are one transaction, so that no import transfers the blob again."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    assert await first.next_step(BLOB) == StartTransfer()
    assert await second.next_step(BLOB) == WaitForTransfer(0)
    await first.complete_transfer(BLOB, read=True)
    assert await second.next_step(BLOB) == MountFrom("team/first")
    assert await second.next_step(BLOB) == MountFrom("team/first")


@pytest.mark.parametrize("completed", [True, False])
async def test_a_waiting_import_is_notified_of_the_end(claims: Imports, *, completed: bool) -> None:
    """The notification arrives at once, before the next poll."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    assert await first.next_step(BLOB) == StartTransfer()
    with second.watch_transfer(BLOB) as ended:
        await (first.complete_transfer(BLOB, read=True) if completed else first.release_transfer(BLOB))
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_released_transfer_can_be_claimed(claims: Imports) -> None:
    """A failed copy does not delay the other imports."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    await first.next_step(BLOB)
    await first.release_transfer(BLOB)
    assert await second.next_step(BLOB) == StartTransfer()


async def test_a_dead_workers_claim_is_free(claims: Imports) -> None:
    """Its lease has run out, so no import waits for it any longer."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    await first.next_step(BLOB)
    await claims.run("UPDATE imports SET lease_until = now() - interval '1 second' WHERE id = $1", "first")
    assert await second.next_step(BLOB) == StartTransfer()
    # If the dead worker wakes up, it neither ends the transfer nor gets its claim back.
    await first.complete_transfer(BLOB, read=True)
    third = await claims.claimed("third")
    assert await third.next_step(BLOB) in (WaitForTransfer(0), MountFrom("team/first"))


async def test_a_later_attempt_takes_over_the_claim(claims: Imports) -> None:
    """An import that was handed back does not wait for its own earlier attempt."""
    first = await claims.claimed("first")
    await first.next_step(BLOB)
    async with claims.database.connection() as connection:
        await import_states.requeue(connection, claims.ids["first"], failed=False)
    again = await claims.claim("first")
    assert await again.next_step(BLOB) == StartTransfer()


async def test_a_retry_within_an_attempt_keeps_its_claim(claims: Imports) -> None:
    """An attempt that asks twice does not wait for itself."""
    first = await claims.claimed("first")
    assert [await first.next_step(BLOB), await first.next_step(BLOB)] == [StartTransfer(), StartTransfer()]


async def test_a_waiting_import_sees_how_far_the_blob_is(claims: Imports) -> None:
    """Its progress is that of the transferring import, as that one recorded it."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    await first.next_step(BLOB)
    await first.record_sent(BLOB, 4711)
    assert await second.next_step(BLOB) == WaitForTransfer(4711)
    assert await second.awaited_step(BLOB) == WaitForTransfer(4711)
    await first.complete_transfer(BLOB, read=True)
    assert await second.awaited_step(BLOB) == MountFrom("team/first")


async def test_small_blobs_are_not_waited_for(claims: Imports) -> None:
    """To agree on one import would take longer than to transfer the blob twice."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    assert [await first.next_step(SMALL), await second.next_step(SMALL)] == [StartTransfer(), StartTransfer()]


async def test_a_database_that_is_away_costs_no_import(claims: Imports) -> None:
    """Without the database, each import transfers the blobs that it needs."""
    first = await claims.claimed("first")
    await claims.database.close()
    assert await first.next_step(BLOB) == StartTransfer()
    await first.complete_transfer(BLOB, read=True)
    await first.release_transfer(BLOB)


async def test_the_next_worker_gets_the_address_of_the_upload(claims: Imports) -> None:
    """The upload outlives the worker, whether it was killed or handed its import back."""
    first = await claims.claimed("kept")
    assert await first.next_step(BLOB) == StartTransfer()
    await first.upload_started(BLOB, "http://harbor/v2/team/kept/blobs/uploads/1")
    await claims.run(TAKEN_AWAY, "kept")
    killed = await claims.claim("kept")
    assert await killed.next_step(BLOB) == StartTransfer("http://harbor/v2/team/kept/blobs/uploads/1")
    await killed.release_transfer(BLOB)
    assert await killed.next_step(BLOB) == StartTransfer("http://harbor/v2/team/kept/blobs/uploads/1")


async def test_an_upload_is_of_one_repository(claims: Imports) -> None:
    """An upload to another repository cannot be continued, and a used session is forgotten."""
    first, other = await claims.claimed("first"), await claims.claimed("other")
    assert await first.next_step(BLOB) == StartTransfer()
    await first.upload_started(BLOB, "http://harbor/v2/team/first/blobs/uploads/1")
    await first.release_transfer(BLOB)
    assert await other.next_step(BLOB) == StartTransfer()
    await other.release_transfer(BLOB)
    assert await first.next_step(BLOB) == StartTransfer()


async def test_a_superseded_attempt_leaves_no_upload_behind(claims: Imports) -> None:
    """Its late record is ignored."""
    stale = await claims.claimed("stale")
    assert await stale.next_step(BLOB) == StartTransfer()
    await claims.run(TAKEN_AWAY, "stale")
    fresh = await claims.claim("stale")
    assert await fresh.next_step(BLOB) == StartTransfer()
    await stale.upload_started(BLOB, "http://harbor/v2/team/stale/blobs/uploads/1")
    await fresh.release_transfer(BLOB)
    assert await fresh.next_step(BLOB) == StartTransfer()


async def test_a_claim_that_the_database_lost_has_no_transfers(claims: Imports) -> None:
    """A failover gave its attempt again: it neither claims nor ends transfers, nor records where one can continue."""
    lost = await claims.claimed("one")
    await claims.run("UPDATE imports SET state = 'queued', attempt = 0, lease_until = NULL WHERE id = $1", "one")
    newest, other = await claims.claim("one"), await claims.claimed("two")
    assert await lost.next_step(BLOB) == WaitForTransfer(0)
    assert await newest.next_step(BLOB) == StartTransfer()
    await newest.upload_started(BLOB, "/uploads/newest")
    await lost.upload_started(BLOB, "/uploads/lost")
    await lost.release_transfer(BLOB)
    assert await other.next_step(BLOB) == WaitForTransfer(0)
    assert await newest.next_step(BLOB) == StartTransfer("/uploads/newest")
    await newest.release_transfer(BLOB)
    assert await other.next_step(BLOB) == StartTransfer()
