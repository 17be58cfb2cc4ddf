"""The reaper: imports of lost workers, lost messages, and old outbox rows."""

import asyncio

import pytest

from api_service.background import reaper
from api_service.background.reaper import LEADER_LOCK, reap
from api_service.imports.retry_policy import RetryPolicy
from shared.db.database import try_lead
from shared.messages.progress_report import ProgressReport, ReportedState
from tests.api_service.api import Api, until

RETRIES = RetryPolicy(max_failures=3, base=1)


@pytest.fixture
async def name(api: Api, image_source: str) -> str:
    """An import whose first message is published."""
    started = await api.start({"source": image_source})
    await api.execute("UPDATE outbox SET published_at = now()")
    return str(started["name"])


async def lose(api: Api, name: str) -> None:
    """Claim the import with a worker that never reports again."""
    await api.claim(name, lease=-1)


async def state(api: Api) -> str:
    text: str = await api.value("SELECT state || ' ' || failures FROM imports")
    return text


async def reasons(api: Api) -> list[str]:
    async with api.database.connection() as connection:
        return [row["reason"] for row in await connection.fetch("SELECT reason FROM outbox ORDER BY id")]


async def test_a_lost_workers_import_is_taken_back(api: Api, name: str) -> None:
    """Its lease has expired: another worker may claim the import at once, and the attempt counts."""
    await lose(api, name)
    await reap(api.queue, RETRIES)
    assert await state(api) == "queued 1"
    assert await reasons(api) == ["requested", "lease_lost"]
    assert (await api.claim(name)).attempt == 2


async def test_a_lease_that_is_renewed_is_left_alone(api: Api, name: str) -> None:
    claimed = await api.claim(name, lease=0.2)
    await asyncio.sleep(0.1)
    report = ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.RUNNING)
    await api.report(name, report)
    await asyncio.sleep(0.2)
    await reap(api.queue, RETRIES)
    assert await state(api) == "running 0"


async def test_a_worker_that_comes_back_too_late_is_stopped(api: Api, name: str) -> None:
    claimed = await api.claim(name, lease=-1)
    await reap(api.queue, RETRIES)
    report = ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.RUNNING)
    assert (await api.report(name, report)).code == "import_superseded"


async def test_a_worker_that_comes_back_was_not_lost_with_its_import(api: Api, name: str) -> None:
    """It was cut off from the API, for example: the import was not the cause, and need not run alone."""
    for excused in (True, False):
        claimed = await api.claim(name, lease=-1)
        assert claimed.lost == 0
        await reap(api.queue, RETRIES)
        if excused:
            report = ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.RUNNING)
            await api.report(name, report)
    assert await reasons(api) == ["requested", "lease_missed", "lease_lost"]
    assert (await api.claim(name)).lost == 1


async def test_an_import_that_ends_its_workers_ends_itself(api: Api, name: str) -> None:
    """An image that crashes workers must not crash one after the other without end."""
    for _ in range(3):
        await lose(api, name)
        await reap(api.queue, RETRIES)
    assert await state(api) == "failed 2"
    details = await api.get("/images/1/importing-details")
    assert (details["status"], details["error"]["code"]) == ("failed", "worker_lost")
    assert "3 attempts" in details["error"]["detail"]
    assert (await api.get("/images/1"))["status"] == "failed"


async def test_the_wake_up_of_an_import_without_a_message_is_repeated(api: Api, name: str) -> None:
    """An operator purged the queue, or RabbitMQ lost its disk: the row in the database decides."""
    await api.execute("UPDATE imports SET due_at = now() - interval '2 minutes'")
    await reap(api.queue, RETRIES)
    assert await reasons(api) == ["requested"]
    await api.execute("UPDATE outbox SET published_at = now() - interval '61 seconds'")
    await reap(api.queue, RETRIES)
    await reap(api.queue, RETRIES)
    assert await reasons(api) == ["requested", "republished"]


async def test_the_wake_ups_of_a_long_wait_become_rarer(api: Api, name: str) -> None:
    """Most waiting imports have their message in a long queue, which must not grow further."""
    await api.execute("UPDATE imports SET due_at = now() - interval '1 hour'")
    for seconds in (61, 121, 241):
        await api.execute("UPDATE outbox SET published_at = now() - make_interval(secs => $1)", seconds - 2)
        await reap(api.queue, RETRIES)
        before = await reasons(api)
        await api.execute("UPDATE outbox SET published_at = now() - make_interval(secs => $1)", seconds)
        await reap(api.queue, RETRIES)
        assert len(await reasons(api)) == len(before) + 1


async def test_imports_that_are_not_due_are_left_alone(api: Api, name: str) -> None:
    await api.execute("DELETE FROM outbox")
    await api.execute("UPDATE imports SET due_at = now() + interval '1 minute'")
    await reap(api.queue, RETRIES)
    assert await reasons(api) == []


async def test_old_outbox_rows_are_deleted(api: Api, name: str) -> None:
    await api.execute("UPDATE outbox SET published_at = now() - interval '25 hours'")
    await reap(api.queue, RETRIES)
    assert await reasons(api) == []


async def test_one_instance_reaps_at_a_time(api: Api, name: str) -> None:
    await lose(api, name)
    async with api.database.transaction() as connection:
        assert await try_lead(connection, LEADER_LOCK)
        await reap(api.queue, RETRIES)
        assert await state(api) == "running 0"
    await reap(api.queue, RETRIES)
    assert await state(api) == "queued 1"


async def test_after_an_outage_workers_get_the_time_to_report(api: Api, name: str) -> None:
    """No worker could renew its lease while the API was unavailable."""
    task = asyncio.create_task(reaper.Reaper(api.queue, RETRIES, grace=60).run())
    try:
        await lose(api, name)
        await asyncio.sleep(0.5)
        assert await state(api) == "running 0"
    finally:
        task.cancel()


async def test_the_reaper_runs_its_rounds(api: Api, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper, "INTERVAL", 0.05)
    task = asyncio.create_task(reaper.Reaper(api.queue, RETRIES, grace=0.1).run())
    try:
        await lose(api, name)
        await until(lambda: _is_taken_back(api))
    finally:
        task.cancel()


async def _is_taken_back(api: Api) -> bool:
    return await state(api) == "queued 1"
