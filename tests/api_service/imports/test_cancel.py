"""POST /images/:id/importing:cancel: which imports and which callers, and the state of the image afterwards."""

from typing import Any

import pytest

from deploy.local.stack import Registry, Remote
from shared.messages.progress_report import ReportedState
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import Source
from tests.api_service.managed import Managed


@pytest.fixture
def managed(api: Api, source: Source, target_registry: Registry) -> Managed:
    """The API itself has no target here: cancelling does not contact it."""
    return Managed(api=api, source=source, target=Remote.of(target_registry))


async def cancel(api: Api, image_id: int | str, **options: Any) -> Answer:
    return await api.call("POST", f"{BASE}/images/{image_id}/importing:cancel", **options)


async def test_a_cancelled_queued_import_is_never_claimed(managed: Managed) -> None:
    """The answer has the details; the worker that gets the message finds nothing to claim."""
    job = await managed.start()
    answer = await cancel(managed.api, job.image_id)
    assert answer.status == 200
    assert answer.body == await managed.api.get(f"/images/{job.image_id}/importing-details")
    assert (answer.body["status"], answer.body["state"], answer.body["name"]) == ("failed", "cancelled", job.name)
    with pytest.raises(AssertionError):
        await job.claim()
    assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "failed"


async def test_a_running_imports_worker_learns_of_it_with_its_next_report(managed: Managed) -> None:
    """The answer is 409, which stops the worker; it may not write the tag either."""
    job = await (await managed.start()).claim()
    await job.send()
    assert (await cancel(managed.api, job.image_id)).status == 200
    for answer in (await job.send(), await job.tagging(), await job.ready()):
        assert (answer.status, answer.code) == (409, "import_superseded")


async def test_a_waiting_import_is_not_tried_again(managed: Managed) -> None:
    """Its wake-up may still arrive, but there is nothing to claim."""
    job = await (await managed.start()).claim()
    await job.fail("source_unavailable")
    assert (await cancel(managed.api, job.image_id)).body["state"] == "cancelled"
    await managed.api.execute("UPDATE imports SET due_at = now()")
    with pytest.raises(AssertionError):
        await job.claim()


async def test_an_image_that_was_ready_stays_ready(managed: Managed) -> None:
    """Its tag was not touched: the target still serves the listed image."""
    job = await managed.ready()
    again = await managed.start(repository=job.repository)
    assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "importing"
    assert (await cancel(managed.api, again.image_id)).status == 200
    shown = await managed.api.get(f"/images/{job.image_id}")
    assert (shown["status"], shown["digest"]) == ("ready", job.image.digest)


async def test_an_image_whose_tag_may_have_been_moved_has_failed(managed: Managed) -> None:
    """An earlier attempt, which was lost, may have written it."""
    job = await managed.ready()
    again = await (await managed.start(repository=job.repository)).claim()
    await again.tagging()
    await again.send(ReportedState.HANDED_BACK)
    assert (await cancel(managed.api, again.image_id)).status == 200
    assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "failed"


async def test_an_import_that_writes_its_tag_is_not_cancelled(managed: Managed) -> None:
    """The answer is 409: the import ends within seconds."""
    job = await (await managed.start()).claim()
    await job.tagging()
    answer = await cancel(managed.api, job.image_id)
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (409, "import_finishing", "5")
    assert (await job.ready()).status == 200


async def test_an_ended_import_cannot_be_cancelled(managed: Managed) -> None:
    """This holds for ready, failed and cancelled imports."""
    ready = await managed.ready()
    failed = await (await managed.start()).claim()
    await failed.fail()
    cancelled = await managed.start()
    await cancel(managed.api, cancelled.image_id)
    for job in (ready, failed, cancelled):
        answer = await cancel(managed.api, job.image_id)
        assert (answer.status, answer.code) == (409, "import_not_open")


async def test_the_credentials_are_deleted_with_the_import(api: Api, image_source: str) -> None:
    """They are stored only as long as a worker needs them."""
    credentials = {"username": "u", "password": "p"}
    started = await api.start({"source": image_source, "credentials": credentials})
    assert await api.value("SELECT count(credentials) FROM imports") == 1
    assert (await cancel(api, started["imageId"])).status == 200
    assert await api.value("SELECT count(credentials) FROM imports") == 0


async def test_only_the_owner_and_admins_may_cancel(managed: Managed) -> None:
    """No other user may, and no worker."""
    api = managed.api
    ada = await api.token("ada")
    job = await managed.start(token=ada)
    for options in ({"role": Role.USER}, {"role": Role.WORKER}):
        answer = await cancel(api, job.image_id, **options)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert (await cancel(api, job.image_id, role=None)).status == 401
    assert (await cancel(api, job.image_id, token=ada)).status == 200
    job = await managed.start(token=ada)
    assert (await cancel(api, job.image_id, role=Role.ADMIN)).status == 200


@pytest.mark.parametrize("image_id", ["4711", "abc"])
async def test_an_unknown_image_is_not_found(api: Api, image_id: str) -> None:
    """The answer is the same for every endpoint."""
    answer = await cancel(api, image_id)
    assert (answer.status, answer.code) == (404, "image_not_found")
