"""DELETE /images/:id: the content that it removes from the target, and the content that stays."""

import asyncio
from datetime import timedelta

import pytest

from api_service.images.deletion import carry_out
from api_service.images.keys import VERIFIER
from api_service.images.patrol import TagPatrol
from deploy.local.stack import synthetic_image
from shared.db import blob_proofs, blobs, deletions
from tests.api_service.api import BASE, Api
from tests.api_service.guard import AT_MOST, at_most_a_batch
from tests.api_service.images.deletion.conftest import OpenManaged, Place, delete, exists, work
from tests.api_service.managed import PROJECT, Managed
from tests.shared.harbor.conftest import StandIn


async def test_a_deleted_image_is_gone_from_the_list_and_from_the_target(managed: Managed) -> None:
    """200 without a body, as in the contract; a header reports the removed content."""
    job = await managed.ready()
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.body, answer.headers["X-Longshore-Removed"]) == (200, "", "manifest")
    assert await managed.serves(job.repository, job.tag) is None
    assert await managed.serves(job.repository, job.image.digest) is None
    assert (await managed.api.get("/images"))["totalCount"] == 0


async def test_a_second_delete_finds_nothing(managed: Managed) -> None:
    """The answer is 404, as for every image that does not exist."""
    job = await managed.ready()
    await delete(managed.api, job.image_id)
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.code) == (404, "image_not_found")


@pytest.mark.parametrize("image_id", ["4711", "0", "abc", "-1", "9" * 30])
async def test_an_unknown_image_is_not_found(api: Api, image_id: str) -> None:
    """This includes ids that no image can have."""
    answer = await api.call("DELETE", f"{BASE}/images/{image_id}")
    assert (answer.status, answer.code) == (404, "image_not_found")


async def test_an_image_can_be_imported_again_after_its_deletion(managed: Managed) -> None:
    """Under the same name, with the same content."""
    job = await managed.ready()
    await delete(managed.api, job.image_id)
    again = await managed.ready(job.image, repository=job.repository)
    assert await managed.serves(again.repository, again.tag) == job.image.digest


@pytest.mark.parametrize("first", [0, 1])
async def test_siblings_on_one_digest_go_one_by_one(managed: Managed, first: int) -> None:
    """The other tag still serves the image; the manifest is deleted with the second."""
    one = await managed.ready()
    two = await managed.ready(one.image, repository=one.repository, tag="2.0")
    gone, left = (one, two) if first == 0 else (two, one)
    answer = await delete(managed.api, gone.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "tag")
    assert await managed.serves(one.repository, gone.tag) is None
    assert await managed.serves(one.repository, left.tag) == one.image.digest
    answer = await delete(managed.api, left.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "manifest")
    assert await managed.serves(one.repository, one.image.digest) is None


async def test_a_sibling_that_the_target_lost_keeps_no_manifest(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """Another client removed its tag: the artifact is deleted with the other tag, instead of staying untagged."""
    async with opened(harbor) as managed:
        one = await managed.ready()
        lost = await managed.ready(one.image, repository=one.repository, tag="2.0")
        del standin.state.repository(one.repository).tags["2.0"]
        await TagPatrol(managed.api.client.app[VERIFIER]).look()
        answer = await delete(managed.api, one.image_id)
        assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "manifest")
        assert (await delete(managed.api, lost.image_id)).headers["X-Longshore-Removed"] == "nothing"


async def test_siblings_that_are_deleted_at_once_leave_nothing(managed: Managed) -> None:
    """No deletion keeps the manifest for a sibling that is deleted as well, so that none is left."""
    jobs = [await managed.ready()]
    for tag in ("2.0", "3.0", "4.0"):
        jobs.append(await managed.ready(jobs[0].image, repository=jobs[0].repository, tag=tag))
    answers = await asyncio.gather(*(delete(managed.api, job.image_id) for job in jobs))
    assert [answer.status for answer in answers] == [200, 200, 200, 200]
    for reference in (*(job.tag for job in jobs), jobs[0].image.digest):
        assert await managed.serves(jobs[0].repository, reference) is None


async def test_a_tag_that_longshore_does_not_know_is_never_lost(managed: Managed) -> None:
    """Another client gave the image another tag in the target."""
    job = await managed.ready()
    await managed.push(job, "by-hand")
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "tag")
    assert await managed.serves(job.repository, job.tag) is None
    assert await managed.serves(job.repository, "by-hand") == job.image.digest


async def test_a_tag_that_another_client_moved_stays(managed: Managed) -> None:
    """The tag belongs to another client now; the image and its old manifest are deleted."""
    job = await managed.ready()
    other = synthetic_image("moved", [900])
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, other)
    assert (await delete(managed.api, job.image_id)).status == 200
    assert await managed.serves(job.repository, job.tag) == other.digest
    assert await managed.serves(job.repository, job.image.digest) is None


async def test_an_image_that_never_came_leaves_the_target_alone(managed: Managed) -> None:
    """Its import failed before it could write the tag; the tag there is another client's."""
    job = await (await managed.start()).claim()
    await job.fail()
    other = synthetic_image("theirs", [900])
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, other)
    answer = await delete(managed.api, job.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "nothing")
    assert await managed.serves(job.repository, job.tag) == other.digest


async def test_a_tag_of_an_import_that_failed_after_it_goes(managed: Managed) -> None:
    """The import was permitted to write the tag and did, but did not report that it was ready."""
    job = await (await managed.start()).claim()
    await job.tagging()
    await managed.push(job)
    await job.fail("target_refused")
    assert (await delete(managed.api, job.image_id)).headers["X-Longshore-Removed"] == "manifest"
    assert await managed.serves(job.repository, job.tag) is None


async def test_another_clients_tag_survives_an_import_that_could_not_write_it(managed: Managed) -> None:
    """The permission to write a tag does not prove that the import wrote it: its digest is compared."""
    job = await (await managed.start()).claim()
    await job.tagging()
    other = synthetic_image("kept", [900])
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, other)
    await job.fail("target_refused")
    assert (await delete(managed.api, job.image_id)).headers["X-Longshore-Removed"] == "nothing"
    assert await managed.serves(job.repository, job.tag) == other.digest


async def test_an_image_of_a_target_that_was_replaced_is_only_forgotten(on_plain: Managed) -> None:
    """The new target may have another image of that name."""
    job = await on_plain.ready()
    await on_plain.api.execute("UPDATE images SET registry_host = 'old.example.com'")
    answer = await delete(on_plain.api, job.image_id)
    assert (answer.status, answer.headers["X-Longshore-Removed"]) == (200, "nothing")
    assert await on_plain.serves(job.repository, job.tag) == job.image.digest


async def test_blobs_of_a_deleted_image_are_no_longer_offered_for_mounts(on_plain: Managed) -> None:
    """Blobs that another image of the repository has are still offered."""
    job = await on_plain.ready()
    other = await on_plain.ready(repository=job.repository, tag="2.0")
    host, elsewhere = work(on_plain).registry, f"{PROJECT}/elsewhere"
    async with on_plain.api.database.connection() as connection:
        for each in (job, other):
            await blobs.record(connection, host, job.repository, [blob.digest for blob in each.image.blobs])
        await blobs.record(connection, host, elsewhere, [blob.digest for blob in job.image.blobs])
    await delete(on_plain.api, job.image_id)
    async with on_plain.api.database.connection() as connection:
        digests = [blob.digest for blob in (*job.image.blobs, *other.image.blobs)]
        known = await blob_proofs.mount_candidates(connection, host, digests, to=elsewhere, confirming_host=None)
    mountable = {digest: candidate.repository for digest, candidate in known.items()}
    assert mountable == {blob.digest: job.repository for blob in other.image.blobs}


HISTORY = """
WITH old AS (
    INSERT INTO imports (name, image_id, state, source, requested_by, finished_at)
    SELECT 'old-' || n, $1, 'cancelled', 's', 'ada', now() FROM generate_series(1, 7) AS n RETURNING id
)
INSERT INTO import_layers (import_id, digest, position, size, byte_offset, status)
SELECT id, 'sha256:' || n, n, 1, 1, 'completed' FROM old, generate_series(1, 4) AS n
"""


async def test_a_long_history_is_deleted_in_batches(on_plain: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image that was imported every hour for a year can be deleted, too."""
    monkeypatch.setattr(carry_out, "HISTORY_BATCH", AT_MOST)
    job, other = await on_plain.ready(), await on_plain.ready(tag="2.0")
    api = on_plain.api
    await api.execute(HISTORY, job.image_id)
    async with at_most_a_batch(api.database, "imports"), at_most_a_batch(api.database, "import_layers"):
        assert (await delete(api, job.image_id)).status == 200
    assert not await exists(api, job.image_id)
    assert await api.value("SELECT array_agg(DISTINCT image_id) FROM imports") == [other.image_id]


async def test_a_deletion_that_another_instance_continues_deletes_no_history(on_plain: Managed) -> None:
    """The lease proves who deletes."""
    job = await on_plain.ready()
    api = on_plain.api
    await api.execute(HISTORY, job.image_id)
    async with api.database.transaction() as connection:
        until = await deletions.begin(connection, job.image_id, user="ada", lease=60)
        later = until + timedelta(seconds=1)
        assert await deletions.delete_history(connection, job.image_id, later, limit=100) == 0
        assert await deletions.delete_history(connection, job.image_id, until, limit=100) > 0
