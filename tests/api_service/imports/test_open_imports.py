"""The limit of a user's open imports, which needs no rule: 429 with Retry-After, also for many requests at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest

from api_service.imports.permission import RETRY_AFTER, UNCOUNTED
from api_service.settings import Settings
from deploy.local.stack import Registry
from shared.model.roles import Role
from shared.target.settings import TargetSettings
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import OpenApi

AT_ONCE = 20
OPEN = "SELECT count(*) FROM imports WHERE state IN ('queued', 'running', 'waiting')"
# The user's other imports.
MANY = """
WITH image AS (
    INSERT INTO images (registry_host, repository, tag, status, source, created_by)
    SELECT 'h', 'a/b', n::text, 'importing', 's', 'user' FROM generate_series(1, $1::int) AS n RETURNING id, tag
)
INSERT INTO imports (name, image_id, state, source, requested_by, requester_subject, lease_owner, lease_until)
SELECT 'import-' || tag, id, 'running', 's', 'user', 'user', 'worker', now() + interval '1 hour' FROM image
"""

Limited = Callable[[int], AbstractAsyncContextManager[Api]]


@pytest.fixture
def limited(open_api: OpenApi, settings: Settings) -> Limited:
    """Opens an API with this limit."""
    return lambda most: open_api(replace(settings, max_open_imports=most))


@pytest.fixture
async def three(limited: Limited) -> AsyncIterator[Api]:
    async with limited(3) as api:
        yield api


async def start_at_once(api: Api, source: str, count: int = AT_ONCE, **options: Role) -> list[Answer]:
    requests = [{"source": source, "target": f"imports/app-{number}:1.0"} for number in range(count)]
    return list(await asyncio.gather(*(api.post_import(request, **options) for request in requests)))


def check_refusals(answers: list[Answer], allowed: int) -> None:
    assert sorted(answer.status for answer in answers) == [200] * allowed + [429] * (len(answers) - allowed)
    for refused in (answer for answer in answers if answer.status == 429):
        assert (refused.code, refused.headers["Retry-After"]) == ("import_limit_reached", str(int(RETRY_AFTER)))


@pytest.mark.parametrize("role", [Role.USER, Role.ADMIN])
async def test_twenty_requests_at_once_never_pass_the_limit(three: Api, image_source: str, role: Role) -> None:
    """An admin needs no rule, and has the same limit."""
    check_refusals(await start_at_once(three, image_source, role=role), allowed=3)
    assert await three.value(OPEN) == 3


async def test_each_user_has_the_limit_alone(three: Api, image_source: str) -> None:
    check_refusals(await start_at_once(three, image_source, 5), allowed=3)
    token = await three.token("other")
    started = await three.post_import({"source": image_source, "target": "imports/other:1.0"}, token=token)
    assert started.status == 200


async def test_twenty_retries_at_once_never_pass_the_limit(three: Api, limited: Limited, image_source: str) -> None:
    """Nor does a request for an image that exists; joining an open import needs no room."""
    async with limited(100) as api:
        started = [answer.body["imageId"] for answer in await start_at_once(api, image_source)]
    for image_id in started:
        await three.call("POST", f"{BASE}/images/{image_id}/importing:cancel")
    paths = [f"{BASE}/images/{image_id}/importing:retry" for image_id in started]
    check_refusals(list(await asyncio.gather(*(three.call("POST", path) for path in paths))), allowed=3)
    again = await start_at_once(three, image_source)
    check_refusals(again, allowed=3)
    assert await three.value(OPEN) == 3


async def test_an_ended_import_makes_room(three: Api, image_source: str) -> None:
    answers = await start_at_once(three, image_source, 4)
    ended = next(answer.body["imageId"] for answer in answers if answer.status == 200)
    await three.call("POST", f"{BASE}/images/{ended}/importing:cancel")
    await three.start({"source": image_source, "target": "imports/another:1.0"})


async def test_a_dry_run_says_it(
    open_api: OpenApi, settings: Settings, target_registry: Registry, image_source: str
) -> None:
    target = TargetSettings(host=target_registry.host, credential=None)
    shared = replace(settings.shared, target=target)
    async with open_api(replace(settings, shared=shared, max_open_imports=3)) as api:
        await start_at_once(api, image_source, 3)
        refused = await api.post_import({"source": image_source, "target": "imports/more:1.0", "dryRun": True})
    assert (refused.status, refused.code) == (429, "import_limit_reached")


async def test_a_large_limit_is_exact_at_its_end(limited: Limited, image_source: str) -> None:
    """Far below it, requests are not counted one after the other."""
    async with limited(UNCOUNTED + 100) as api:
        await api.execute(MANY, 90)
        check_refusals(await start_at_once(api, image_source), allowed=AT_ONCE)
        await api.execute(MANY.replace("'h'", "'other'").replace("'import-'", "'other-'"), UNCOUNTED - 13)
        again = [{"source": image_source, "target": f"imports/again-{number}:1.0"} for number in range(AT_ONCE)]
        check_refusals(list(await asyncio.gather(*(api.post_import(request) for request in again))), allowed=3)
        assert await api.value(OPEN) == UNCOUNTED + 100
