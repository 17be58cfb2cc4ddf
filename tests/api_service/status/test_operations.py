"""GET /operations: the queue, and the workers that run its imports."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from api_service.parts import relay_part
from api_service.settings import Settings
from tests.api_service.api import Api, until
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi

WATCHED = (*REQUESTS_ONLY, relay_part)


@pytest.fixture
async def api(open_api: OpenApi, settings: Settings) -> AsyncIterator[Api]:
    """The API without RabbitMQ."""
    async with open_api(settings, WATCHED) as api:
        yield api


async def test_open_imports_are_counted_by_state(api: Api, image_source: str) -> None:
    """The answer includes the age of the oldest waiting import; finished imports are not counted."""
    await api.start({"source": image_source})
    await api.execute("UPDATE imports SET due_at = now() - interval '90 seconds'")
    answer = await api.get("/operations")
    assert answer["imports"] == {"queued": 1, "running": 0, "waiting": 0}
    assert answer["due"] == 1
    assert 90 <= answer["oldestDueSeconds"] < 120
    assert answer["outboxPending"] == 1
    await api.execute("UPDATE imports SET state = 'cancelled'")
    assert (await api.get("/operations"))["imports"]["queued"] == 0


async def test_busy_workers_are_named(api: Api, image_source: str) -> None:
    """Their leases are counted; the import of a worker that stopped reporting is counted separately."""
    await api.claim((await api.start({"source": image_source}))["name"])
    answer = await api.get("/operations")
    assert answer["workers"]["byName"] == [{"name": "test", "imports": 1}]
    assert (answer["workers"]["busy"], answer["leasesExpired"]) == (1, 0)
    await api.execute("UPDATE imports SET lease_until = now() - interval '1 second'")
    answer = await api.get("/operations")
    assert (answer["workers"]["busy"], answer["workers"]["byName"], answer["leasesExpired"]) == (0, [], 1)


async def test_a_rate_limit_is_named_with_its_end(api: Api) -> None:
    await api.execute(
        """
        INSERT INTO registry_limits (host, account, scope, resumes_at, share)
        VALUES ('docker.io', '', 'manifests', now() + interval '5 minutes', 0.5)
        """
    )
    [held] = (await api.get("/operations"))["throttledRegistries"]
    assert 290 < held.pop("resumesInSeconds") <= 300
    assert held == {"host": "docker.io", "scope": "manifests", "share": 0.5}


async def test_an_unavailable_broker_has_no_figures(api: Api) -> None:
    """Unknown numbers are null."""
    answer = await api.get("/operations")
    assert answer["broker"] == {"connected": False, "messages": None}
    assert answer["workers"]["withRoom"] is None


async def test_the_queue_is_described(open_api: OpenApi, settings: Settings, amqp_url: str) -> None:
    shared = replace(settings.shared, amqp_url=amqp_url)
    async with open_api(replace(settings, shared=shared), WATCHED) as api:

        async def connected() -> bool:
            return bool((await api.get("/operations"))["broker"]["connected"])

        async with asyncio.timeout(60):
            await until(connected)
        answer = await api.get("/operations")
    assert answer["broker"]["messages"] == 0
    assert answer["workers"]["withRoom"] == 0
