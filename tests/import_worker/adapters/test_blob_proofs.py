"""Blobs of other projects: an import gets them only with a proof, whether it mounts them or waits for a transfer."""

import asyncio

import pytest

from import_worker.adapters.postgres_ledger import PostgresLedger
from import_worker.copying.ends import MountFrom, StartTransfer, WaitForTransfer
from shared.db import blob_proofs, blobs
from shared.model.blob_origin import NO_ORIGIN, BlobOrigin
from shared.oci.descriptor import Descriptor
from tests.import_worker.adapters.claims import BLOB, SMALL, Imports

PRIVATE = BlobOrigin(host="registry.example.com", with_account=True)
SAME_HOST = BlobOrigin(host="registry.example.com", with_account=False)
HOSTILE = BlobOrigin(host="hostile.example.com", with_account=False)
OTHER_PORT = BlobOrigin(host="registry.example.com:5000", with_account=True)
STRANGERS = pytest.mark.parametrize(
    "stranger", [HOSTILE, OTHER_PORT, NO_ORIGIN], ids=["another-host", "another-port", "docker-engine"]
)


async def bring(claims: Imports, origin: BlobOrigin, blob: Descriptor = BLOB, *, read: bool = True) -> PostgresLedger:
    """Have an import of the project `secret` transfer a blob from this origin."""
    first = await claims.claimed("first", "secret/app", origin)
    assert await first.next_step(blob) == StartTransfer()
    await first.complete_transfer(blob, read=read)
    await first.record([blob], read={blob.digest} if read else set())
    return first


@STRANGERS
@pytest.mark.parametrize("blob", [BLOB, SMALL], ids=["claimed", "small"])
async def test_a_private_blob_of_another_project_is_not_offered(
    claims: Imports, stranger: BlobOrigin, blob: Descriptor
) -> None:
    """The digest alone is no right to the bytes: this import transfers the blob from its own source."""
    await bring(claims, PRIVATE, blob)
    other = await claims.claimed("other", "other/app", stranger)
    assert await other.mount_candidates([blob]) == {}
    assert await other.next_step(blob) == StartTransfer()


@pytest.mark.parametrize("blob", [BLOB, SMALL], ids=["claimed", "small"])
@pytest.mark.parametrize("origin", [PRIVATE, SAME_HOST], ids=["with-an-account", "without"])
async def test_the_same_host_has_to_confirm_a_private_blob(
    claims: Imports, origin: BlobOrigin, blob: Descriptor
) -> None:
    """The offer says so; after a denial there is no offer."""
    await bring(claims, PRIVATE, blob)
    other = await claims.claimed("other", "other/app", origin)
    assert await other.mount_candidates([blob]) == {blob.digest: MountFrom("secret/app", confirm=True)}
    assert await other.next_step(blob, confirmable=False) == StartTransfer()


@STRANGERS
@pytest.mark.parametrize("blob", [BLOB, SMALL], ids=["claimed", "small"])
async def test_a_blob_that_was_read_without_an_account_is_public(
    claims: Imports, stranger: BlobOrigin, blob: Descriptor
) -> None:
    """Any import may mount it."""
    await bring(claims, SAME_HOST, blob)
    other = await claims.claimed("other", "other/app", stranger)
    assert await other.mount_candidates([blob]) == {blob.digest: MountFrom("secret/app")}


async def test_within_one_project_no_proof_is_needed(claims: Imports) -> None:
    """A similar name is another project."""
    await bring(claims, PRIVATE)
    same = await claims.claimed("same", "secret/other", HOSTILE)
    similar = await claims.claimed("similar", "secrets/other", HOSTILE)
    assert await same.mount_candidates([BLOB]) == {BLOB.digest: MountFrom("secret/app")}
    assert await similar.mount_candidates([BLOB]) == {}


@pytest.mark.parametrize("origin", [PRIVATE, SAME_HOST, NO_ORIGIN], ids=["account", "public", "engine"])
async def test_a_blob_whose_bytes_were_not_read_proves_nothing(claims: Imports, origin: BlobOrigin) -> None:
    """It existed, or another import brought it; nor does a Docker Engine prove anything, whatever it sent."""
    await bring(claims, origin, read=origin.host is None)
    other = await claims.claimed("other", "other/app", SAME_HOST)
    assert await other.mount_candidates([BLOB]) == {}


async def test_the_ledger_of_an_earlier_release_is_unproven(claims: Imports) -> None:
    """Its rows still serve their own project."""
    async with claims.database.connection() as connection:
        await blobs.record(connection, "harbor", "secret/app", [str(BLOB.digest)])
    other = await claims.claimed("other", "other/app", SAME_HOST)
    same = await claims.claimed("same", "secret/new", SAME_HOST)
    assert await other.mount_candidates([BLOB]) == {}
    assert await same.mount_candidates([BLOB]) == {BLOB.digest: MountFrom("secret/app")}


async def test_a_proof_of_another_target_counts_for_nothing(claims: Imports) -> None:
    """Repositories of two targets share no blobs."""
    async with claims.database.connection() as connection:
        await blobs.record(connection, "harbor", "secret/app", [str(BLOB.digest)])
        await blob_proofs.record(connection, "elsewhere", [str(BLOB.digest)], SAME_HOST)
    other = await claims.claimed("other", "other/app", SAME_HOST)
    assert await other.mount_candidates([BLOB]) == {}


async def test_the_best_candidate_is_offered(claims: Imports) -> None:
    """The own project needs no question, and a public blob needs no confirmation, although it was recorded earlier."""
    await bring(claims, SAME_HOST)
    async with claims.database.connection() as connection:
        await blob_proofs.record(connection, "harbor", [str(BLOB.digest)], PRIVATE)
        other = await claims.claimed("other", "other/app", PRIVATE)
        assert await other.mount_candidates([BLOB]) == {BLOB.digest: MountFrom("secret/app")}
        for repository in ("other/base", "third/latest"):
            await blobs.record(connection, "harbor", repository, [str(BLOB.digest)])
    assert await other.mount_candidates([BLOB]) == {BLOB.digest: MountFrom("other/base")}


@STRANGERS
async def test_an_import_from_another_source_transfers_beside_the_first(claims: Imports, stranger: BlobOrigin) -> None:
    """Neither disturbs the other: the claim stays with its import, and its end is still awaited by its project."""
    first = await claims.claimed("first", "secret/app", PRIVATE)
    same = await claims.claimed("same", "secret/same", PRIVATE)
    other = await claims.claimed("other", "other/app", stranger)
    assert await first.next_step(BLOB) == StartTransfer()
    await first.upload_started(BLOB, "http://harbor/uploads/1")
    assert await other.next_step(BLOB) == StartTransfer()
    await other.upload_started(BLOB, "http://harbor/uploads/2")
    await other.release_transfer(BLOB)
    assert await same.next_step(BLOB) == WaitForTransfer(0)
    assert isinstance(await other.next_step(BLOB), StartTransfer)
    await other.complete_transfer(BLOB, read=False)
    assert await same.next_step(BLOB) == WaitForTransfer(0)
    await first.release_transfer(BLOB)
    assert await first.next_step(BLOB) == StartTransfer("http://harbor/uploads/1")


async def test_a_transfer_from_the_same_host_is_awaited_if_the_host_confirms_the_blob(claims: Imports) -> None:
    """After a denial, the import transfers by itself."""
    first = await claims.claimed("first", "secret/app", PRIVATE)
    other = await claims.claimed("other", "other/app", SAME_HOST)
    assert await first.next_step(BLOB) == StartTransfer()
    assert await other.next_step(BLOB) == WaitForTransfer(0, confirm=True)
    assert await other.next_step(BLOB, confirmable=False) == StartTransfer()
    await first.complete_transfer(BLOB, read=True)
    assert await other.next_step(BLOB) == MountFrom("secret/app", confirm=True)


@STRANGERS
async def test_a_transfer_without_an_account_is_awaited_by_imports_from_its_source_alone(
    claims: Imports, stranger: BlobOrigin
) -> None:
    """Its end makes the blob public: every import may mount it then."""
    first = await claims.claimed("first", "secret/app", SAME_HOST)
    second = await claims.claimed("second", "second/app", SAME_HOST)
    other = await claims.claimed("other", "other/app", stranger)
    assert await first.next_step(BLOB) == StartTransfer()
    assert await second.next_step(BLOB) == WaitForTransfer(0)
    assert await other.next_step(BLOB) == StartTransfer()
    await first.complete_transfer(BLOB, read=True)
    assert await other.next_step(BLOB) == MountFrom("secret/app")


async def test_a_transfer_of_the_last_release_is_not_awaited(claims: Imports) -> None:
    """Its row says neither which size it expects nor how far it is."""
    await claims.claimed("first", "secret/app", PRIVATE)
    async with claims.database.connection() as connection:
        await connection.execute(
            "INSERT INTO blob_flights (registry, digest, import_name, attempt, repository, source_host) "
            "VALUES ('harbor', $1, 'first', 1, 'secret/app', $2)",
            str(BLOB.digest),
            PRIVATE.host,
        )
    same = await claims.claimed("same", "secret/same", PRIVATE)
    assert await same.next_step(BLOB) == StartTransfer()


async def test_a_claim_has_the_origin_of_the_import_that_took_it_over(claims: Imports) -> None:
    """The row of a released transfer stays for its upload; its origin must not stay."""
    public = await claims.claimed("public", "secret/public", SAME_HOST)
    assert await public.next_step(BLOB) == StartTransfer()
    await public.release_transfer(BLOB)
    private = await claims.claimed("private", "secret/private", PRIVATE)
    assert await private.next_step(BLOB) == StartTransfer()
    other = await claims.claimed("other", "other/app", SAME_HOST)
    assert await other.next_step(BLOB) == WaitForTransfer(0, confirm=True)


async def test_ten_imports_of_other_projects_from_one_host_transfer_a_private_blob_once(claims: Imports) -> None:
    """One transfers; nine wait, if the host confirms the blob to each of them."""
    ledgers = [await claims.claimed(f"import-{n}", f"team-{n}/app", PRIVATE) for n in range(10)]
    steps = await asyncio.gather(*(ledger.next_step(BLOB) for ledger in ledgers))
    assert sorted(map(str, steps)) == [str(StartTransfer())] + [str(WaitForTransfer(0, confirm=True))] * 9


async def test_proofs_are_deleted_with_the_last_repository_of_their_blob(claims: Imports) -> None:
    """Their number is bounded by the ledger's; a proof without a blob is of no use."""
    first = await bring(claims, SAME_HOST)
    async with claims.database.connection() as connection:
        await blobs.record(connection, "harbor", "third/app", [str(BLOB.digest)])
    await first.forget(BLOB, "third/app")
    other = await claims.claimed("other", "other/app", HOSTILE)
    assert await other.mount_candidates([BLOB]) == {BLOB.digest: MountFrom("secret/app")}
    await first.forget(BLOB, "secret/app")
    async with claims.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM blob_proofs") == 0
