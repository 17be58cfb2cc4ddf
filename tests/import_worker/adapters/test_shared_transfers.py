"""Which imports share a transfer, and how one takes the place of a slow one. Why: docs/decisions/0054."""

import asyncio
from dataclasses import replace

from import_worker.adapters.postgres_ledger import PostgresLedger
from import_worker.copying.ends import Holder, MountFrom, StartTransfer, WaitForTransfer
from shared.model.blob_origin import BlobOrigin
from tests.import_worker.adapters.claims import BLOB, Imports

SLOW_MIRROR = BlobOrigin(host="mirror.example.com", with_account=False)
UPLOAD = "http://harbor/v2/team/app/blobs/uploads/1"


async def holder_seen_by(waiting: PostgresLedger) -> Holder:
    """Return the holder of the transfer that this import waits for."""
    step = await waiting.next_step(BLOB)
    assert isinstance(step, WaitForTransfer)
    assert step.holder
    return step.holder


async def test_imports_from_one_source_share_a_transfer_beside_that_of_another_source(claims: Imports) -> None:
    """A user's slow mirror of a popular layer neither delays nor multiplies the transfers of others."""
    slow = await claims.claimed("slow", "team/slow", SLOW_MIRROR)
    assert await slow.next_step(BLOB) == StartTransfer()
    others = [await claims.claimed(f"import-{n}") for n in range(5)]
    steps = await asyncio.gather(*(ledger.next_step(BLOB) for ledger in others))
    assert sorted(map(str, steps)) == [str(StartTransfer())] + [str(WaitForTransfer(0))] * 4


async def test_a_transfer_of_another_size_is_not_awaited(claims: Imports) -> None:
    """A manifest may state any size for a digest; a transfer that expects that one never ends well."""
    liar, honest = await claims.claimed("liar"), await claims.claimed("honest")
    assert await liar.next_step(replace(BLOB, size=BLOB.size + 1)) == StartTransfer()
    assert await honest.next_step(BLOB) == StartTransfer()


async def test_an_import_takes_the_place_of_a_slow_one(claims: Imports) -> None:
    """Others wait for the new transfer; the slow one continues with its upload, and changes nothing of the new one."""
    slow = await claims.claimed("slow", "team/app")
    quick, third = await claims.claimed("quick", "team/app"), await claims.claimed("third")
    assert await slow.next_step(BLOB) == StartTransfer()
    await slow.upload_started(BLOB, UPLOAD)
    await slow.record_sent(BLOB, 10)
    assert await quick.next_step(BLOB, instead_of=await holder_seen_by(quick)) == StartTransfer(None)
    await quick.record_sent(BLOB, 500)
    await slow.record_sent(BLOB, 20)
    await slow.release_transfer(BLOB)
    assert await third.next_step(BLOB) == WaitForTransfer(500)
    assert (await holder_seen_by(third)).import_name == "quick"
    assert await slow.next_step(BLOB) == WaitForTransfer(500)


async def test_one_of_many_imports_takes_the_place_of_a_slow_one(claims: Imports) -> None:
    """The others have seen another holder, and watch the new one anew."""
    slow = await claims.claimed("slow")
    waiting = [await claims.claimed(f"import-{n}") for n in range(5)]
    await slow.next_step(BLOB)
    holder = await holder_seen_by(waiting[0])
    steps = await asyncio.gather(*(ledger.next_step(BLOB, instead_of=holder) for ledger in waiting))
    assert sorted(map(str, steps)) == [str(StartTransfer())] + [str(WaitForTransfer(0))] * 4


async def test_a_slow_transfer_that_ends_first_serves_those_that_wait(claims: Imports) -> None:
    """It no longer holds the claim, and its blob is in the ledger all the same."""
    slow, quick, third = [await claims.claimed(name) for name in ("slow", "quick", "third")]
    await slow.next_step(BLOB)
    await quick.next_step(BLOB, instead_of=await holder_seen_by(quick))
    assert await third.awaited_step(BLOB) == WaitForTransfer(0)
    await slow.complete_transfer(BLOB, read=True)
    assert await third.awaited_step(BLOB) == MountFrom("team/slow")


async def test_nothing_is_awaited_after_a_transfer_has_failed(claims: Imports) -> None:
    """Any of those that waited may claim it."""
    first, second = await claims.claimed("first"), await claims.claimed("second")
    await first.next_step(BLOB)
    await first.release_transfer(BLOB)
    assert await second.awaited_step(BLOB) is None
