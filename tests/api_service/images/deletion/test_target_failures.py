"""DELETE /images/:id: a target that fails, refuses or is slow."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from api_service.images.deletion import begin as begin_deletion
from api_service.images.deletion import carry_out as carry_out_deletion
from api_service.images.deletion import delete_image
from api_service.parts import images_part
from api_service.web.keys import MANAGEMENT
from deploy.local.servers.harbor.rules import Rule
from deploy.local.servers.harbor.server import immutable_rule
from shared.model.credential import Credential
from shared.target.management import Removal
from shared.target.settings import TargetSettings
from tests.api_service.api import until
from tests.api_service.conftest import REQUESTS_ONLY
from tests.api_service.images.deletion.conftest import (
    OWNER,
    Failing,
    OpenManaged,
    Place,
    delete,
    exists,
    failing,
    finish,
    marked,
)
from tests.api_service.managed import PROJECT, Managed
from tests.shared.harbor.conftest import StandIn


async def test_a_target_that_is_away_leaves_the_image_as_it_was(
    opened: OpenManaged, plain: Place, on_plain: Managed
) -> None:
    """The answer is 502, and the mark is removed, so that the next attempt can succeed."""
    job = await on_plain.ready()
    away = replace(plain, target=TargetSettings(host="127.0.0.1:1", credential=None))
    async with opened(away) as broken:
        answer = await delete(broken.api, job.image_id)
        assert (answer.status, answer.code) == (502, "target_unreachable")
    assert await marked(on_plain.api) == 0
    assert (await on_plain.api.get(f"/images/{job.image_id}"))["status"] == "ready"
    assert (await delete(on_plain.api, job.image_id)).status == 200


async def test_an_import_that_a_failed_deletion_stopped_has_failed(
    opened: OpenManaged, plain: Place, on_plain: Managed
) -> None:
    """The import stays cancelled; an image that was ready before is ready still."""
    fresh = await (await on_plain.start()).claim()
    old = await on_plain.ready()
    again = await on_plain.start(repository=old.repository)
    assert again.image_id == old.image_id
    away = replace(plain, target=TargetSettings(host="127.0.0.1:1", credential=None))
    async with opened(away) as broken:
        for job in (fresh, again):
            assert (await delete(broken.api, job.image_id)).status == 502
    shown = [await on_plain.api.get(f"/images/{job.image_id}") for job in (fresh, again)]
    assert [(image["status"], image["import"]["state"]) for image in shown] == [
        ("failed", "cancelled"),
        ("ready", "cancelled"),
    ]


async def test_a_failure_that_left_the_tag_in_place_leaves_the_image_ready(opened: OpenManaged, place: Place) -> None:
    """The API has checked that the tag exists; the mark is removed."""
    async with opened(place, failing(removes=False)) as managed:
        job = await managed.ready()
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code) == (502, "target_unavailable")
        assert await marked(managed.api) == 0
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"
        assert (await delete(managed.api, job.image_id)).status == 200


async def test_a_failure_after_the_tag_is_removed_is_resumed(opened: OpenManaged, place: Place) -> None:
    """The image is no longer listed as ready, and is deleted as soon as the target works again."""
    async with opened(place, failing(removes=True)) as managed:
        job = await managed.ready()
        assert (await delete(managed.api, job.image_id)).status == 502
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "failed"
        await finish(managed)
        assert not await exists(managed.api, job.image_id)


async def test_a_permanent_failure_after_the_tag_has_gone_ends_the_deletion(opened: OpenManaged, place: Place) -> None:
    """The tag is deleted, as requested; a manifest that must stay is no reason to keep the image."""
    async with opened(place, failing(removes=True, code="target_delete_refused")) as managed:
        job = await managed.ready()
        assert (await delete(managed.api, job.image_id)).status == 200
        assert not await exists(managed.api, job.image_id)


async def test_a_manifest_that_never_goes_does_not_keep_the_image(opened: OpenManaged, place: Place) -> None:
    """Its tag is deleted; otherwise all imports into the repository would wait for the manifest."""
    async with opened(place, failing(removes=True, failures=100)) as managed:
        job = await managed.ready()
        assert (await delete(managed.api, job.image_id)).status == 502
        await finish(managed)
        assert not await exists(managed.api, job.image_id)


async def test_a_deletion_that_was_left_ends_where_the_target_no_longer_lets_us_look(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """Waiting would not help: the image is not listed as ready, and may be deleted again."""
    async with opened(harbor) as managed:
        job = await managed.ready()
        await begin_deletion.begin_deletion(managed.api.database, job.image_id, OWNER)
        wrong = replace(harbor, target=replace(harbor.target, credential=Credential("admin", "wrong")))
        async with opened(wrong) as locked_out:
            await finish(locked_out)
        assert await marked(managed.api) == 0
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "failed"
        assert (await delete(managed.api, job.image_id)).status == 200


async def test_a_target_that_is_too_slow_is_not_waited_for(
    opened: OpenManaged, plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is far below the lease, so that no other instance starts meanwhile."""
    monkeypatch.setattr(carry_out_deletion, "DEADLINE", 0.3)
    assert carry_out_deletion.DEADLINE * 2 < begin_deletion.LEASE

    class Slow(Failing):
        async def remove_tag(self, *_: Any, **__: Any) -> Removal:
            await asyncio.sleep(30)
            raise AssertionError("no deadline stopped it")

    async def slow_part(app: web.Application) -> AsyncIterator[None]:
        app[MANAGEMENT] = Slow(app[MANAGEMENT], removes=False)
        yield

    parts = (*(part for part in REQUESTS_ONLY if part is not images_part), slow_part, images_part)
    async with opened(plain, parts) as managed:
        job = await managed.ready()
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code) == (504, "target_stalled")
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"


async def test_a_deletion_at_a_slow_target_goes_on_without_its_request(
    opened: OpenManaged, plain: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """504 within five seconds; the deletion ends when the target answers, and is not left for another instance."""
    assert delete_image.DELETION_DEADLINE < 5
    monkeypatch.setattr(delete_image, "DELETION_DEADLINE", 0.2)
    free = asyncio.Event()

    class Slow(Failing):
        async def remove_tag(self, *given: Any, **named: Any) -> Removal:
            await free.wait()
            return await self.real.remove_tag(*given, **named)

    async def slow_part(app: web.Application) -> AsyncIterator[None]:
        app[MANAGEMENT] = Slow(app[MANAGEMENT], removes=False)
        yield

    parts = (*(part for part in REQUESTS_ONLY if part is not images_part), slow_part, images_part)
    async with opened(plain, parts) as managed:
        job = await managed.ready()
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code, answer.headers["Retry-After"]) == (504, "deletion_unfinished", "5")
        assert await exists(managed.api, job.image_id)
        free.set()

        async def gone() -> bool:
            return not await exists(managed.api, job.image_id)

        await until(gone)
        assert await managed.serves(job.repository, job.tag) is None


async def test_an_immutable_tag_is_named_and_its_image_stays(
    opened: OpenManaged, harbor: Place, standin: StandIn
) -> None:
    """The answer is 409 with Harbor's reason."""
    async with opened(harbor) as managed:
        job = await managed.ready()
        rule = Rule.from_json(immutable_rule("**", job.tag))
        standin.state.project(PROJECT).rules[standin.state.next_id()] = rule
        answer = await delete(managed.api, job.image_id)
        assert (answer.status, answer.code, answer.body["side"]) == (409, "target_immutable_tag", "target")
        assert await marked(managed.api) == 0
        assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"


async def test_a_part_of_an_index_in_harbor_stays(opened: OpenManaged, harbor: Place) -> None:
    """The answer is a 409, which says that another image contains this one."""
    async with opened(harbor) as managed:
        whole = await managed.ready()
        part = await (await managed.start(whole.image, repository=whole.repository, tag="amd64")).claim()
        await part.tagging()
        child = whole.image.children[0]
        await asyncio.to_thread(managed.target.push_manifest, whole.repository, "amd64", child)
        part.image = replace(whole.image, root=child, children=())
        await part.ready()
        answer = await delete(managed.api, part.image_id)
        assert (answer.status, answer.code) == (409, "target_artifact_referenced")
        assert await managed.serves(whole.repository, "amd64") == child.digest
