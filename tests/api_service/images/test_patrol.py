"""The patrol: an image that another client deleted from the target soon stops being ready."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_service.images import patrol as patrol_module
from api_service.images.keys import VERIFIER
from api_service.images.patrol import verify_batch
from api_service.settings import Settings
from deploy.local.stack import Registry, Remote, synthetic_image
from shared.target.settings import TargetSettings
from tests.api_service.api import BASE
from tests.api_service.conftest import OpenApi, Source
from tests.api_service.managed import Job, Managed


@pytest.fixture
async def managed(
    open_api: OpenApi, settings: Settings, source: Source, target_registry: Registry
) -> AsyncIterator[Managed]:
    target = TargetSettings(host=target_registry.host, credential=None)
    async with open_api(replace(settings, shared=replace(settings.shared, target=target))) as api:
        yield Managed(api=api, source=source, target=Remote.of(target_registry))


async def look(managed: Managed, after: int = 0) -> int:
    """Check one batch, without an error."""
    after, trouble = await verify_batch(managed.api.client.app[VERIFIER], after)
    assert trouble is None
    return after


async def status(managed: Managed, job: Job) -> str:
    found: str = (await managed.api.get(f"/images/{job.image_id}"))["status"]
    return found


async def lose(managed: Managed, job: Job) -> None:
    """Delete the image in the target, as another client may do."""
    await asyncio.to_thread(managed.target.delete_manifest, job.repository, job.image.digest)


async def test_an_image_whose_tag_is_gone_has_failed(managed: Managed) -> None:
    """The list, the image and its details report that, and say how to repair it."""
    lost, kept = await managed.ready(), await managed.ready()
    await lose(managed, lost)
    await look(managed)
    assert [await status(managed, job) for job in (lost, kept)] == ["failed", "ready"]
    details = await managed.api.get(f"/images/{lost.image_id}/importing-details")
    assert (details["status"], details["state"], details["error"]["code"]) == ("failed", "ready", "target_not_found")
    assert (await managed.api.get("/images?ready=true"))["totalCount"] == 1


async def test_an_image_whose_tag_another_client_moved_has_failed(managed: Managed) -> None:
    """The target may still have its digest; but `repository:tag` is another image now."""
    job = await managed.ready()
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, synthetic_image("moved-by-hand", [900]))
    await look(managed)
    assert await status(managed, job) == "failed"


async def test_what_is_not_ready_is_left_alone(managed: Managed) -> None:
    """Their content is not in the target yet, which is not a fault."""
    job = await managed.start()
    await look(managed)
    assert await status(managed, job) == "importing"


async def test_an_import_that_is_stopped_does_not_bring_a_lost_image_back(managed: Managed) -> None:
    """An image that was ready stays ready when a re-import ends early; one that was lost before stays failed."""
    job = await managed.ready()
    await lose(managed, job)
    await look(managed)
    again = await managed.start(job.image, repository=job.repository)
    assert again.image_id == job.image_id
    assert (await managed.api.call("POST", f"{BASE}/images/{job.image_id}/importing:cancel")).status == 200
    assert await status(managed, job) == "failed"


async def test_an_import_that_may_have_moved_the_tag_leaves_doubt_behind(managed: Managed) -> None:
    """A later import that did not write the tag proves nothing about the earlier one; only a successful import does."""
    job = await managed.ready()
    moved = await (await managed.start(repository=job.repository)).claim()
    await moved.tagging()
    await managed.push(moved)
    await moved.fail()
    await (await managed.start(repository=job.repository)).fail_at_once()
    assert await status(managed, job) == "failed"


async def test_rounds_go_on_where_they_were(managed: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each round checks one batch in the order of ids, and starts again after the last one."""
    monkeypatch.setattr(patrol_module, "BATCH", 2)
    jobs = [await managed.ready() for _ in range(3)]
    for job in jobs:
        await lose(managed, job)
    assert await look(managed) == jobs[1].image_id
    assert [await status(managed, job) for job in jobs] == ["failed", "failed", "ready"]
    assert await look(managed, jobs[1].image_id) == 0
    assert await status(managed, jobs[2]) == "failed"


async def test_a_target_that_is_away_says_nothing_about_images(
    open_api: OpenApi, settings: Settings, managed: Managed
) -> None:
    """The images stay unchanged, and the patrol returns the target's error."""
    job = await managed.ready()
    away = TargetSettings(host="127.0.0.1:1", credential=None)
    async with open_api(replace(settings, shared=replace(settings.shared, target=away))) as api:
        _, trouble = await verify_batch(api.client.app[VERIFIER])
    assert trouble
    assert trouble.code == "target_unreachable"
    assert await status(managed, job) == "ready"
