"""POST /images/:id/importing:retry: start a failed or cancelled import again."""

import asyncio
from typing import Any

import pytest

from api_service.settings import Settings
from deploy.local.stack import Registry, Remote
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import Source
from tests.api_service.imports.test_import_credentials import claimed_account, store
from tests.api_service.managed import Job, Managed


@pytest.fixture
def managed(api: Api, source: Source, target_registry: Registry) -> Managed:
    """The API itself has no target here: a retry does not contact it."""
    return Managed(api=api, source=source, target=Remote.of(target_registry))


@pytest.fixture
async def failed(managed: Managed) -> Job:
    """A failed import."""
    job = await (await managed.start()).claim()
    await job.fail()
    return job


async def retry(api: Api, image_id: int | str, **options: Any) -> Answer:
    return await api.call("POST", f"{BASE}/images/{image_id}/importing:retry", **options)


async def test_a_failed_import_is_started_again(managed: Managed, failed: Job) -> None:
    """There is another queued import of the same image, with a message for a worker."""
    answer = await retry(managed.api, failed.image_id)
    assert answer.status == 200
    body = answer.body
    assert (body["state"], body["alreadyImageId"], body["imageId"]) == (1, 0, failed.image_id)
    assert body["name"] != failed.name
    details = await managed.api.get(f"/images/{failed.image_id}/importing-details")
    assert (details["name"], details["status"], details["state"]) == (body["name"], "importing", "queued")
    assert details["error"] is None
    reasons = "SELECT array_agg(reason ORDER BY outbox.id) FROM outbox JOIN imports ON imports.id = import_id"
    assert await managed.api.value(f"{reasons} WHERE name = $1", body["name"]) == ["retried"]


async def test_a_cancelled_import_is_started_again(managed: Managed) -> None:
    """A cancelled import can be retried like a failed one."""
    job = await managed.start()
    await managed.api.call("POST", f"{BASE}/images/{job.image_id}/importing:cancel")
    assert (await retry(managed.api, job.image_id)).status == 200


async def test_it_imports_the_same_platforms_and_the_same_digest(api: Api, source: Source, repository: str) -> None:
    """The pinned digest is imported, though the source's tag has moved."""
    image = source.push(repository)
    reference = f"{source.host}/{repository}:1.0"
    started = await api.start({"source": reference, "platforms": ["linux/arm64"]})
    await Job(api, image, started["imageId"], started["name"], "", "").fail_at_once()
    source.push(repository, seed="moved")
    again = (await retry(api, started["imageId"])).body
    claimed = await api.claim(again["name"])
    assert (claimed.source, claimed.source_digest) == (reference, image.digest)
    assert claimed.platforms == ("linux/arm64",)


async def test_a_digest_that_the_source_has_lost_is_resolved_again(managed: Managed) -> None:
    """Otherwise every retry would fail with the same error."""
    job = await (await managed.start()).claim()
    await job.fail("source_not_found")
    again = (await retry(managed.api, job.image_id)).body
    assert (await managed.api.claim(again["name"])).source_digest is None


async def test_a_ready_image_whose_last_import_failed_may_be_retried(managed: Managed) -> None:
    """The newest import decides."""
    ready = await managed.ready()
    job = await (await managed.start(repository=ready.repository)).claim()
    await job.fail()
    assert (await managed.api.get(f"/images/{job.image_id}"))["status"] == "ready"
    assert (await retry(managed.api, job.image_id)).status == 200


async def test_only_failed_and_cancelled_imports_are_retried(managed: Managed) -> None:
    """The answer is 409 for an import under way and for a ready one."""
    under_way, ready = await managed.start(), await managed.ready()
    for job in (under_way, ready):
        answer = await retry(managed.api, job.image_id)
        assert (answer.status, answer.code, answer.body["state"]) == (409, "import_not_retryable", 0)


async def test_retries_at_the_same_time_are_one_import(managed: Managed, failed: Job) -> None:
    """The other requests get 409."""
    answers = await asyncio.gather(*(retry(managed.api, failed.image_id) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + 7 * [409]
    assert await managed.api.value("SELECT count(*) FROM imports") == 2


async def test_a_retry_may_have_new_credentials(managed: Managed, failed: Job, settings: Settings) -> None:
    """The first credentials were deleted with their import; without new ones the access is anonymous."""
    given = {"username": "ada", "password": "geheim"}
    again = (await retry(managed.api, failed.image_id, json={"credentials": given})).body
    assert await claimed_account(managed.api, settings, again) == given


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"json": {"credentials": None}}])
async def test_the_body_is_optional(managed: Managed, failed: Job, options: dict[str, Any]) -> None:
    """No account is used then, as none is stored."""
    again = (await retry(managed.api, failed.image_id, **options)).body
    assert await managed.api.sealed_account(again["name"]) is None


async def test_a_stored_registrys_account_is_used(managed: Managed, failed: Job, settings: Settings) -> None:
    """The same rule holds for an import."""
    await store(managed.api, "origin", managed.source.host, username="bot", password="stored")
    again = (await retry(managed.api, failed.image_id)).body
    assert (await claimed_account(managed.api, settings, again))["username"] == "bot"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"credentials": {"username": "u"}}, "validation_failed", "credentials.password"),
        ({"credentials": "nobody-knows"}, "validation_failed", "credentials"),
        ({"source": "busybox"}, "validation_failed", "source"),
    ],
)
async def test_a_bad_body_is_refused(managed: Managed, failed: Job, body: Any, code: str, field: str) -> None:
    """The answer is 400 and names the field; no import starts."""
    answer = await retry(managed.api, failed.image_id, json=body)
    assert (answer.status, answer.code, answer.body["errors"][0]["field"]) == (400, code, field)
    assert await managed.api.value("SELECT count(*) FROM imports") == 1


async def test_a_body_that_is_no_json_is_refused(managed: Managed, failed: Job) -> None:
    """The answer is 415, as for an import."""
    answer = await retry(managed.api, failed.image_id, data="credentials")
    assert (answer.status, answer.code) == (415, "content_type_unsupported")


async def test_only_the_owner_and_admins_may_retry(managed: Managed) -> None:
    """No other user may, and no worker."""
    api = managed.api
    ada = await api.token("ada")
    for allowed in ({"token": ada}, {"role": Role.ADMIN}):
        job = await (await managed.start(token=ada)).claim()
        await job.fail()
        for options in ({"role": Role.USER}, {"role": Role.WORKER}):
            answer = await retry(api, job.image_id, **options)
            assert (answer.status, answer.code) == (403, "forbidden")
        assert (await retry(api, job.image_id, role=None)).status == 401
        assert (await retry(api, job.image_id, **allowed)).status == 200


@pytest.mark.parametrize("image_id", ["4711", "abc"])
async def test_an_unknown_image_is_not_found(api: Api, image_id: str) -> None:
    """The answer is the same for every endpoint."""
    answer = await retry(api, image_id)
    assert (answer.status, answer.code) == (404, "image_not_found")
