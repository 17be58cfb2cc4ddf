"""DELETE /images/:id: its callers, and imports that are open or start during a deletion."""

import asyncio

import pytest

from api_service.images.deletion import begin as begin_deletion
from shared.messages.progress_report import ReportedState
from shared.model.roles import Role
from shared.target.management import Removal
from tests.api_service.api import BASE
from tests.api_service.images.deletion.conftest import OWNER, delete, work
from tests.api_service.managed import Job, Managed


async def test_only_the_owner_and_admins_may_delete(on_plain: Managed) -> None:
    """Every user sees an image, but workers and other users may not delete it."""
    api = on_plain.api
    ada = await api.token("ada")
    job = await on_plain.ready(token=ada)
    for options in ({"role": Role.USER}, {"role": Role.WORKER}):
        answer = await delete(api, job.image_id, **options)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert (await delete(api, job.image_id, role=None)).status == 401
    assert await on_plain.serves(job.repository, job.tag) == job.image.digest
    assert (await delete(api, job.image_id, token=ada)).status == 200
    job = await on_plain.ready(token=ada)
    assert (await delete(api, job.image_id, role=Role.ADMIN)).status == 200


async def test_a_queued_import_is_stopped(on_plain: Managed) -> None:
    """No worker can claim the import any more."""
    job = await on_plain.start()
    assert (await delete(on_plain.api, job.image_id)).status == 200
    with pytest.raises(AssertionError):
        await job.claim()


async def test_a_running_imports_worker_has_to_stop(on_plain: Managed) -> None:
    """The answer to the worker's next report stops it; the image is already deleted."""
    job = await (await on_plain.start()).claim()
    await job.send()
    assert (await delete(on_plain.api, job.image_id)).status == 200
    answer = await job.send()
    assert (answer.status, answer.code) == (404, "import_not_found")


async def test_a_worker_that_reports_during_the_deletion_has_to_stop(on_plain: Managed) -> None:
    """The answer is 409 while the row still exists."""
    job = await (await on_plain.start()).claim()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    for answer in (await job.send(), await job.tagging()):
        assert (answer.status, answer.code) == (409, "import_superseded")


@pytest.mark.usefixtures("hurried")
async def test_an_import_that_writes_its_tag_is_not_stopped(on_plain: Managed) -> None:
    """The answer is 409 with Retry-After, so that the caller tries again after the import."""
    job = await (await on_plain.start()).claim()
    await job.tagging()
    answer = await delete(on_plain.api, job.image_id)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "import_finishing", "5")
    await on_plain.push(job)
    assert (await job.ready()).status == 200
    assert (await delete(on_plain.api, job.image_id)).status == 200
    assert await on_plain.serves(job.repository, job.tag) is None


async def test_a_delete_waits_for_a_tag_that_is_being_written(on_plain: Managed) -> None:
    """The request waits a few seconds, which is longer than writing a tag takes."""
    job = await (await on_plain.start()).claim()
    await job.tagging()
    deleting = asyncio.create_task(delete(on_plain.api, job.image_id))
    await asyncio.sleep(0.5)
    assert not deleting.done()
    await on_plain.push(job)
    await job.ready()
    assert (await deleting).headers["X-Longshore-Removed"] == "manifest"


@pytest.mark.usefixtures("hurried")
async def test_a_later_attempt_that_only_copies_may_be_stopped(on_plain: Managed) -> None:
    """The permission to write a tag belonged to the lost attempt, not to this one."""
    job = await (await on_plain.start()).claim()
    await job.tagging()
    await job.send(ReportedState.HANDED_BACK)
    await job.claim()
    await job.send()
    assert (await delete(on_plain.api, job.image_id)).status == 200


@pytest.mark.usefixtures("hurried")
async def test_a_siblings_tag_that_is_being_written_holds_a_delete_up(on_plain: Managed) -> None:
    """The sibling's image may need the manifest to delete; tags of other repositories do not."""
    job = await on_plain.ready()
    elsewhere = await (await on_plain.start(job.image)).claim()
    await elsewhere.tagging()
    sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()
    await sibling.tagging()
    answer = await delete(on_plain.api, job.image_id)
    assert (answer.status, answer.code) == (409, "import_finishing")
    await on_plain.push(sibling)
    await sibling.ready()
    assert (await delete(on_plain.api, job.image_id)).headers["X-Longshore-Removed"] == "tag"
    assert await on_plain.serves(job.repository, "2.0") == job.image.digest


async def test_no_tag_is_written_while_a_deletion_is_under_way(on_plain: Managed) -> None:
    """The worker has to ask again while its lease is renewed; it gets permission after the deletion."""
    job = await on_plain.ready()
    sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()
    elsewhere = await (await on_plain.start(job.image)).claim()
    begun = await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    answer = await sibling.tagging()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "repository_busy", "2")
    assert (await sibling.send()).status == 200
    assert (await elsewhere.tagging()).status == 200
    assert await work(on_plain).carry_out(begun) is Removal.MANIFEST
    assert (await sibling.tagging()).status == 200


async def test_deletions_and_tags_of_one_repository_never_overlap(on_plain: Managed) -> None:
    """Both are requested at once, many times: the second one waits or is refused, and no tag is lost."""
    for _ in range(8):
        job = await on_plain.ready()
        sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()

        async def write(sibling: Job = sibling) -> None:
            while (await sibling.tagging()).status == 503:
                continue
            await on_plain.push(sibling)
            assert (await sibling.ready()).status == 200

        answer, _ = await asyncio.gather(delete(on_plain.api, job.image_id), write())
        assert answer.status == 200
        assert await on_plain.serves(job.repository, "2.0") == job.image.digest
        assert await on_plain.serves(job.repository, "1.0") is None


@pytest.mark.usefixtures("hurried")
async def test_nothing_new_is_begun_with_an_image_that_is_being_deleted(on_plain: Managed) -> None:
    """The answer is 409 with Retry-After for an import, a retry and a second delete alike."""
    api = on_plain.api
    job = await (await on_plain.start()).claim()
    await job.fail()
    shown = await api.get(f"/images/{job.image_id}")
    await begin_deletion.begin_deletion(api.database, job.image_id, OWNER)
    target = f"{job.repository}:{job.tag}"
    for answer in (
        await api.post_import({"source": shown["source"], "target": target}),
        await api.call("POST", f"{BASE}/images/{job.image_id}/importing:retry"),
        await delete(api, job.image_id),
    ):
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "image_being_deleted", "5")
    assert await api.get(f"/images/{job.image_id}") == shown
