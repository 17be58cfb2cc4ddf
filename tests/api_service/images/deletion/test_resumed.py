"""DELETE /images/:id: deletions that a crash or a failure interrupted, and how they are resumed."""

import asyncio
from dataclasses import replace

from api_service.images.deletion import begin as begin_deletion
from api_service.images.deletion.resume import resume_deletions
from deploy.local.images.image import Manifest
from shared.db import deletions
from shared.oci.digest import Digest
from shared.target.plain_registry import untag_marker
from shared.target.settings import TargetSettings
from tests.api_service.images.deletion.conftest import OWNER, OpenManaged, Place, delete, exists, finish, marked, work
from tests.api_service.managed import Managed
from tests.shared.harbor.conftest import StandIn


async def test_a_crash_before_the_target_was_asked_is_finished(managed: Managed) -> None:
    """The mark in the database is enough to resume the deletion."""
    job = await managed.ready()
    await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
    await finish(managed)
    assert not await exists(managed.api, job.image_id)
    assert await managed.serves(job.repository, job.tag) is None


async def test_a_crash_after_the_target_was_asked_is_finished(managed: Managed) -> None:
    """The tag and its manifest are deleted, but the row is not."""
    job = await managed.ready()
    await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
    await work(managed).target.remove_tag(job.repository, job.tag, Digest.parse(job.image.digest), siblings=False)
    await finish(managed)
    assert not await exists(managed.api, job.image_id)


async def test_a_crash_between_tag_and_manifest_is_finished(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """In Harbor the tag is deleted first; an artifact without tags must not remain."""
    async with opened(harbor) as managed:
        job = await managed.ready()
        await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
        del standin.state.repository(job.repository).tags[job.tag]
        await finish(managed)
        assert await managed.serves(job.repository, job.image.digest) is None


async def test_a_crash_while_the_tag_was_moved_away_is_finished(on_plain: Managed) -> None:
    """In a plain registry, a tag is removed from a shared manifest by moving it to a marker, which is deleted then."""
    job = await on_plain.ready()
    sibling = await on_plain.ready(job.image, repository=job.repository, tag="2.0")
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    marker = untag_marker(job.repository, job.tag)
    moved = Manifest(media_type=marker.media_type, body=marker.content)
    await asyncio.to_thread(on_plain.target.push_manifest, job.repository, job.tag, moved)
    await finish(on_plain)
    assert not await exists(on_plain.api, job.image_id)
    assert await on_plain.serves(job.repository, job.tag) is None
    assert await on_plain.serves(job.repository, sibling.tag) == job.image.digest


async def test_a_deletion_that_is_under_way_is_left_alone(on_plain: Managed) -> None:
    """Another instance may resume it only when its lease has expired."""
    job = await on_plain.ready()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    await resume_deletions(work(on_plain))
    assert await exists(on_plain.api, job.image_id)


async def test_a_delete_goes_on_with_one_that_was_left(on_plain: Managed) -> None:
    """A DELETE after the lease has expired resumes the deletion."""
    job = await on_plain.ready()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = now() - interval '1 s'")
    assert (await delete(on_plain.api, job.image_id)).status == 200


async def test_a_deletion_that_was_left_waits_for_a_tag_that_is_being_written(on_plain: Managed) -> None:
    """A new deletion waits, too. After the mark no permission is given, so only an earlier one can be in the way."""
    job = await on_plain.ready()
    sibling = await (await on_plain.start(job.image, repository=job.repository, tag="2.0")).claim()
    await sibling.tagging()
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = now() WHERE id = $1", job.image_id)
    await finish(on_plain)
    assert await exists(on_plain.api, job.image_id)
    await on_plain.push(sibling)
    await sibling.ready()
    await finish(on_plain)
    assert not await exists(on_plain.api, job.image_id)
    assert await on_plain.serves(job.repository, "2.0") == job.image.digest


async def test_one_that_comes_too_late_deletes_nothing(on_plain: Managed) -> None:
    """Another instance has the lease, or the image is no longer marked."""
    job = await on_plain.ready()
    begun = await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    await on_plain.api.execute("UPDATE images SET deletion_lease_until = NULL")
    async with on_plain.api.database.connection() as connection:
        await deletions.finish(connection, job.image_id, begun.until)
    assert await exists(on_plain.api, job.image_id)


async def test_a_deletion_that_was_left_outlasts_a_target_that_is_away(
    opened: OpenManaged, plain: Place, on_plain: Managed
) -> None:
    """Its progress is unknown: the image stays marked, is not listed as ready, and its deletion resumes later."""
    job = await on_plain.ready()
    await begin_deletion.begin_deletion(on_plain.api.database, job.image_id, OWNER)
    away = replace(plain, target=TargetSettings(host="127.0.0.1:1", credential=None))
    async with opened(away) as broken:
        await finish(broken)
    assert await marked(on_plain.api) == 1
    assert (await on_plain.api.get(f"/images/{job.image_id}"))["status"] == "failed"
    await finish(on_plain)
    assert not await exists(on_plain.api, job.image_id)
