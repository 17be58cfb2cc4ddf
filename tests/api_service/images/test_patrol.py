"""The patrol: an image that another client deleted from the target soon stops being ready, if that is proven."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer

from api_service.images.keys import VERIFIER
from api_service.images.patrol import PACE, Batch, Pace, TagPatrol
from api_service.images.verify_tag import TagVerifier
from api_service.metrics.events import EVENTS
from api_service.settings import Settings
from deploy.local.stack import Registry, Remote, synthetic_image
from shared.errors.codes import Code
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


def patrol(managed: Managed, pace: Pace = PACE) -> TagPatrol:
    return TagPatrol(managed.api.client.app[VERIFIER], pace)


async def look(managed: Managed) -> None:
    """Look at one batch, without an error."""
    batch = await patrol(managed).look()
    assert (batch.trouble, batch.alarm) == (None, "")


async def status(managed: Managed, job: Job) -> str:
    found: str = (await managed.api.get(f"/images/{job.image_id}"))["status"]
    return found


async def lose(managed: Managed, job: Job) -> None:
    """Delete the image in the target, as another client may do."""
    await asyncio.to_thread(managed.target.delete_manifest, job.repository, job.image.digest)


async def move(managed: Managed, job: Job) -> None:
    """Point the image's tag to another image, as another client may do."""
    await asyncio.to_thread(managed.target.push, job.repository, job.tag, synthetic_image("moved-by-hand", [900]))


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
    await move(managed, job)
    await look(managed)
    assert await status(managed, job) == "failed"


async def test_what_is_not_ready_is_left_alone(managed: Managed) -> None:
    """Their content is not in the target yet, which is not a fault."""
    job = await managed.start()
    await look(managed)
    assert await status(managed, job) == "importing"


async def test_an_import_that_is_stopped_does_not_bring_a_lost_image_back(managed: Managed) -> None:
    """An image that was ready stays ready when a re-import ends early; one that was lost before stays failed."""
    job, _ = await managed.ready(), await managed.ready()
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


async def test_rounds_go_on_where_they_were(managed: Managed) -> None:
    """Each look takes one batch in the order of ids, and a round begins again after the last one."""
    jobs = [await managed.ready() for _ in range(4)]
    for job in jobs[:3]:
        await lose(managed, job)
    rounds = patrol(managed, Pace(batch=2))
    assert (await rounds.look(), rounds.after) == (Batch(wait=PACE.interval), jobs[1].image_id)
    assert [await status(managed, job) for job in jobs] == ["failed", "failed", "ready", "ready"]
    await rounds.look()
    assert (await rounds.look(), rounds.after) == (Batch(wait=PACE.rest), 0)
    assert [await status(managed, job) for job in jobs] == ["failed", "failed", "failed", "ready"]


async def test_an_image_that_is_back_becomes_ready_again(managed: Managed) -> None:
    """The target served an older state for a while, for instance; the row has everything but the source's digest."""
    lost, _ = await managed.ready(), await managed.ready()
    before = await managed.api.get(f"/images/{lost.image_id}")
    await lose(managed, lost)
    await look(managed)
    assert await status(managed, lost) == "failed"
    await managed.push(lost)
    await look(managed)
    after = await managed.api.get(f"/images/{lost.image_id}")
    assert after | {"updatedAt": ""} == before | {"updatedAt": ""}
    details = await managed.api.get(f"/images/{lost.image_id}/importing-details")
    assert (details["state"], details["error"]) == ("ready", None)
    again = await managed.api.post_import({"source": before["source"], "target": f"{lost.repository}:{lost.tag}"})
    assert (again.status, again.body["state"]) == (200, 2)


async def test_a_tag_that_is_back_with_another_digest_heals_nothing(managed: Managed) -> None:
    """The image that Longshore knows is still not there."""
    lost, _ = await managed.ready(), await managed.ready()
    await lose(managed, lost)
    await look(managed)
    await move(managed, lost)
    await look(managed)
    assert await status(managed, lost) == "failed"


async def test_an_image_that_is_being_imported_is_not_healed(managed: Managed) -> None:
    """Its import decides about it."""
    lost, _ = await managed.ready(), await managed.ready()
    await lose(managed, lost)
    await look(managed)
    await managed.start(lost.image, repository=lost.repository)
    await managed.push(lost)
    await look(managed)
    assert await status(managed, lost) == "importing"


async def test_an_empty_target_says_nothing_about_images(managed: Managed) -> None:
    """An empty registry in the target's place greets well, but serves no image that it should have."""
    jobs = [await managed.ready() for _ in range(3)]
    for job in jobs:
        await lose(managed, job)
    with structlog.testing.capture_logs() as logs:
        batch = await patrol(managed).look()
    assert batch.alarm.startswith("The target answers, and serves none of the ready images")
    assert [await status(managed, job) for job in jobs] == ["ready", "ready", "ready"]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["patrol.stopped"]
    assert stopped() == 1
    await managed.push(jobs[1])
    assert (await patrol(managed).look()).alarm == ""
    assert [await status(managed, job) for job in jobs] == ["failed", "ready", "failed"]
    assert stopped() == 0


async def test_many_losses_in_a_row_stop_the_round(managed: Managed) -> None:
    """A project that disappears at once is more often a fault of the target than the work of its users."""
    jobs = [await managed.ready() for _ in range(6)]
    for job in jobs[1:5]:
        await lose(managed, job)
    rounds = patrol(managed, Pace(losses=2))
    batch = await rounds.look()
    assert (batch.alarm, batch.wait) == ("2 images in a row are lost.", PACE.pause)
    assert [await status(managed, job) for job in jobs] == ["ready", "failed", "failed", *["ready"] * 3]
    assert stopped() == 1
    await rounds.look()
    assert [await status(managed, job) for job in jobs] == ["ready", *["failed"] * 4, "ready"]
    assert stopped() == 0


async def test_losses_with_served_images_between_them_are_no_row(managed: Managed) -> None:
    """Users delete images of their own here and there."""
    jobs = [await managed.ready() for _ in range(6)]
    for job in jobs[::2]:
        await lose(managed, job)
    assert (await patrol(managed, Pace(losses=1)).look()).alarm == ""
    assert [await status(managed, job) for job in jobs] == ["failed", "ready"] * 3


def stopped() -> float | None:
    return EVENTS.get_sample_value("longshore_patrol_stopped")


async def test_a_target_that_is_away_says_nothing_about_images(
    open_api: OpenApi, settings: Settings, managed: Managed
) -> None:
    """The images stay unchanged, and the patrol returns the target's error."""
    job = await managed.ready()
    async with looking_at("127.0.0.1:1", open_api, settings, managed) as verifier:
        batch = await TagPatrol(verifier).look()
    assert batch.trouble
    assert batch.trouble.code == "target_unreachable"
    assert await status(managed, job) == "ready"


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def nothing_there(_: web.Request) -> web.Response:
    return web.Response(status=404, text="default backend - 404")


async def refused(_: web.Request) -> web.Response:
    return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="Another"'})


async def broken(_: web.Request) -> web.Response:
    return web.Response(status=502)


async def another_page(_: web.Request) -> web.Response:
    return web.Response(text="<html>It works!</html>", content_type="text/html")


async def behind_a_greeting(request: web.Request) -> web.Response:
    """The registry's root is served, for instance by a proxy's own rule; all behind it is gone."""
    return web.json_response({}) if request.path == "/v2/" else await nothing_there(request)


@pytest.mark.parametrize("answer", [nothing_there, refused, broken, another_page, behind_a_greeting])
async def test_another_server_in_the_targets_place_says_nothing_about_images(
    answer: Answer, open_api: OpenApi, settings: Settings, managed: Managed
) -> None:
    """An ingress without its backend answers 404 to everything, and each of these answers is no proof."""
    jobs = [await managed.ready() for _ in range(2)]
    page = web.Application()
    page.router.add_route("*", "/{path:.*}", answer)
    async with (
        TestServer(page) as server,
        looking_at(f"127.0.0.1:{server.port}", open_api, settings, managed) as verifier,
    ):
        batch = await TagPatrol(verifier).look()
    assert batch.trouble or batch.alarm
    assert [await status(managed, job) for job in jobs] == ["ready", "ready"]


async def test_a_request_believes_no_404_of_another_server(
    open_api: OpenApi, settings: Settings, managed: Managed
) -> None:
    """A repeated request fails with the target's error, and changes nothing."""
    job = await managed.ready()
    image = await managed.api.get(f"/images/{job.image_id}")
    page = web.Application()
    page.router.add_route("*", "/{path:.*}", nothing_there)
    async with TestServer(page) as server:
        target = TargetSettings(host=f"127.0.0.1:{server.port}", credential=None)
        async with open_api(replace(settings, shared=replace(settings.shared, target=target))) as api:
            answer = await api.post_import({"source": image["source"], "target": f"{job.repository}:{job.tag}"})
    assert answer.status >= 500
    assert answer.code in {Code.TARGET_NOT_FOUND, Code.TARGET_PROTOCOL_ERROR, Code.TARGET_UNAVAILABLE}
    assert await status(managed, job) == "ready"


@asynccontextmanager
async def looking_at(host: str, open_api: OpenApi, settings: Settings, managed: Managed) -> AsyncIterator[TagVerifier]:
    """Yield a verifier for the same images, whose target is another server."""
    target = TargetSettings(host=host, credential=None)
    async with open_api(replace(settings, shared=replace(settings.shared, target=target))) as api:
        known: TagVerifier = managed.api.client.app[VERIFIER]
        yield replace(api.client.app[VERIFIER], registry_host=known.registry_host)
