"""Imports need a rule: requests, dry runs and retries are refused without one, and limits hold for many at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from api_service.settings import Settings
from deploy.local.stack import Registry
from shared.model.roles import Role
from shared.target.settings import TargetSettings
from tests.api_service.api import BASE, Answer, Api
from tests.api_service.conftest import OpenApi, Source
from tests.api_service.rules.manage import call, create, create_alone
from tests.scripted.hostile import HostileRegistry

AT_ONCE = 20
OPEN = "SELECT count(*) FROM imports WHERE state IN ('queued', 'running', 'waiting')"
RULE_OF_NEWEST = "SELECT rule_id FROM imports ORDER BY id DESC LIMIT 1"


@pytest.fixture
async def target_api(open_api: OpenApi, settings: Settings, target_registry: Registry) -> AsyncIterator[Api]:
    """An API in front of a real target."""
    target = TargetSettings(host=target_registry.host, credential=None)
    async with open_api(replace(settings, shared=replace(settings.shared, target=target))) as api:
        yield api


def request(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"source": source, "target": target, **more}


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code


async def test_an_import_keeps_the_rule_that_allows_it(api: Api, image_source: str) -> None:
    await create_alone(api, "elsewhere", targets=["other/**"])
    rule = await create(api, targets=["team/**"])
    await api.start(request(image_source, "team/app:1.0"))
    assert await api.value(RULE_OF_NEWEST) == rule["id"]


async def test_an_import_has_the_weight_of_its_rule(api: Api, image_source: str) -> None:
    """At a retry, that of today's rule; an admin's imports weigh 2."""
    weight = "SELECT weight FROM imports ORDER BY id DESC LIMIT 1"
    rule = await create_alone(api, targets=["team/**"], weight=7)
    started = await api.start(request(image_source, "team/app:1.0"))
    assert await api.value(weight) == 7
    await call(api, "PATCH", rule["id"], json={"weight": 3})
    await api.call("POST", f"{BASE}/images/{started['imageId']}/importing:cancel")
    assert (await api.call("POST", f"{BASE}/images/{started['imageId']}/importing:retry")).status == 200
    assert await api.value(weight) == 3
    await api.start(request(image_source, "team/app:2.0"), role=Role.ADMIN)
    assert await api.value(weight) == 2


async def test_an_admin_needs_no_rule(api: Api, image_source: str) -> None:
    await call(api, "DELETE", 1)
    await api.start(request(image_source, "prod/app:1.0"), role=Role.ADMIN)
    assert await api.value(RULE_OF_NEWEST) is None


@pytest.mark.parametrize("more", [{}, {"force": True}, {"dryRun": True}])
async def test_nothing_is_asked_of_the_source_before_a_rule_allows_it(
    api: Api, hostile: HostileRegistry, more: dict[str, bool]
) -> None:
    await create_alone(api, sources=["quay.io/**"], targets=["team/**"])
    refused = await api.post_import(request(f"{hostile.host}/team/app:1.0", "team/app:1.0", **more))
    assert refusal(refused) == (403, "source_not_allowed")
    assert "allowed sources: quay.io/**" in refused.body["detail"]
    assert "Ask an administrator" in refused.body["hint"]
    assert (refused.body["state"], refused.body["alreadyImageId"]) == (0, 0)
    assert hostile.connections == 0
    assert await api.value("SELECT count(*) FROM images") == 0


@pytest.mark.parametrize("more", [{}, {"force": True}, {"dryRun": True}])
async def test_a_target_that_no_rule_has_is_refused_with_those_that_they_have(
    api: Api, image_source: str, more: dict[str, bool]
) -> None:
    await create_alone(api, targets=["team/**", "home/{user}/**"])
    refused = await api.post_import(request(image_source, "prod/app:1.0", **more))
    assert refusal(refused) == (403, "target_not_allowed")
    assert "allowed targets: team/**, home/user/**" in refused.body["detail"]


async def test_a_dry_run_says_who_allows_it(api: Api, source: Source, target_api: Api, repository: str) -> None:
    source.push(repository)
    reference = f"{source.host}/{repository}:1.0"
    await create_alone(target_api, "Team A", targets=["team/**"])
    body = request(reference, f"team/{repository}:1.0", dryRun=True)
    assert (await target_api.post_import(body)).body["allowedBy"] == "Team A"
    assert (await target_api.post_import(body, role=Role.ADMIN)).body["allowedBy"] == "admin"


async def test_a_dry_run_knows_the_limits(target_api: Api, source: Source, repository: str) -> None:
    image = source.push(repository)
    size = sum(blob.size for blob in image.blobs)
    body = request(f"{source.host}/{repository}:1.0", f"team/{repository}:1.0", dryRun=True)
    rule = await create_alone(target_api, maxImageBytes=size)
    refused = await target_api.post_import(body)
    assert refusal(refused) == (403, "limit_reached")
    assert "maxImageBytes" in refused.body["detail"]
    await call(target_api, "PATCH", rule["id"], json={"maxImageBytes": None, "maxBytesPerMonth": 10_000_000})
    assert (await target_api.post_import(body)).body["allowedBy"] == "team-a"
    month = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
    await target_api.execute(f"INSERT INTO import_usage VALUES ($1, '', 'user', {month}, 9999999)", rule["id"])
    refused = await target_api.post_import(body)
    assert refusal(refused) == (403, "limit_reached")
    assert "1 of 10000000 bytes are left" in refused.body["detail"]
    assert 0 < int(refused.headers["Retry-After"]) <= 31 * 24 * 3600


async def test_a_retry_needs_a_rule_of_today(api: Api, image_source: str) -> None:
    rule = await create_alone(api, targets=["team/**"])
    started = await api.start(request(image_source, "team/app:1.0", force=True))
    cancelled = await api.call("POST", f"{BASE}/images/{started['imageId']}/importing:cancel")
    assert cancelled.status == 200
    await call(api, "PATCH", rule["id"], json={"targets": ["other/**"]})
    path = f"{BASE}/images/{started['imageId']}/importing:retry"
    assert refusal(await api.call("POST", path)) == (403, "target_not_allowed")
    other = await create(api, "again", targets=["team/**"])
    assert (await api.call("POST", path)).status == 200
    assert await api.value("SELECT (rule_id, force) = ($1, true) FROM imports ORDER BY id DESC LIMIT 1", other["id"])


async def test_twenty_requests_at_once_never_pass_the_limit_of_open_imports(api: Api, image_source: str) -> None:
    await create_alone(api, maxOpenImports=3)
    answers = await asyncio.gather(
        *(api.post_import(request(image_source, f"team/app-{number}:1.0")) for number in range(AT_ONCE))
    )
    assert sorted(answer.status for answer in answers) == [200] * 3 + [403] * (AT_ONCE - 3)
    assert await api.value(OPEN) == 3
    refused = next(answer for answer in answers if answer.status == 403)
    assert refused.code == "limit_reached"
    assert "maxOpenImports of the import rule team-a" in refused.body["detail"]
    assert "3 imports are open, 3 are allowed" in refused.body["detail"]


async def test_the_limit_of_open_imports_is_each_users_own(api: Api, image_source: str) -> None:
    await create_alone(api, maxOpenImports=2)
    tokens = [await api.token(name) for name in ("alice", "bob")]
    answers = await asyncio.gather(
        *(
            api.post_import(request(image_source, f"team/app-{number}-{owner}:1.0"), token=token)
            for number in range(AT_ONCE // 2)
            for owner, token in enumerate(tokens)
        )
    )
    assert sorted(answer.status for answer in answers) == [200] * 4 + [403] * (AT_ONCE - 4)
    counts = "SELECT array_agg(n) FROM (SELECT count(*) AS n FROM imports GROUP BY requester_subject) AS of_user"
    assert await api.value(counts) == [2, 2]


async def test_twenty_retries_at_once_never_pass_the_limit_either(api: Api, image_source: str) -> None:
    rule = await create_alone(api)
    started = [await api.start(request(image_source, f"team/app-{number}:1.0")) for number in range(6)]
    for answer in started:
        await api.call("POST", f"{BASE}/images/{answer['imageId']}/importing:cancel")
    await call(api, "PATCH", rule["id"], json={"maxOpenImports": 2})
    paths = [f"{BASE}/images/{answer['imageId']}/importing:retry" for answer in started]
    answers = await asyncio.gather(*(api.call("POST", path) for path in paths))
    assert sorted(answer.status for answer in answers) == [200] * 2 + [403] * 4
    assert await api.value(OPEN) == 2


async def test_an_ended_import_makes_room_for_another(api: Api, image_source: str) -> None:
    await create_alone(api, maxOpenImports=1)
    started = await api.start(request(image_source, "team/one:1.0"))
    two = request(image_source, "team/two:1.0")
    assert refusal(await api.post_import(two)) == (403, "limit_reached")
    await api.call("POST", f"{BASE}/images/{started['imageId']}/importing:cancel")
    await api.start(two)


async def test_joining_the_own_import_needs_no_room(api: Api, image_source: str) -> None:
    """A client that repeats its request after a lost answer gets the same answer."""
    await create_alone(api, maxOpenImports=1)
    body = request(image_source, "team/app:1.0")
    first, again = await api.start(body), await api.start(body)
    assert again["name"] == first["name"]
    assert await api.value(OPEN) == 1


async def test_another_rule_allows_what_is_beyond_the_first_ones_limit(api: Api, image_source: str) -> None:
    small = await create_alone(api, "small", maxOpenImports=2)
    large = await create(api, "large", maxOpenImports=3)
    answers = await asyncio.gather(
        *(api.post_import(request(image_source, f"team/app-{number}:1.0")) for number in range(AT_ONCE))
    )
    assert sorted(answer.status for answer in answers) == [200] * 5 + [403] * (AT_ONCE - 5)
    for rule, allowed in ((small, 2), (large, 3)):
        assert await api.value("SELECT count(*) FROM imports WHERE rule_id = $1", rule["id"]) == allowed


async def test_nothing_starts_when_the_months_bytes_are_used_up(api: Api, image_source: str) -> None:
    rule = await create_alone(api, maxBytesPerMonth=1000)
    month = "date_trunc('month', now() AT TIME ZONE 'UTC')::date"
    await api.execute(f"INSERT INTO import_usage VALUES ($1, '', 'user', {month}, 1000)", rule["id"])
    refused = await api.post_import(request(image_source, "team/app:1.0"))
    assert refusal(refused) == (403, "limit_reached")
    assert "0 of 1000 bytes are left in this month. It renews on " in refused.body["detail"]
