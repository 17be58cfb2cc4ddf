"""The reaper: imports of lost workers."""

import asyncio
from dataclasses import replace

import pytest

from api_service.background import reaper, sweep
from api_service.background.reaper import reap
from api_service.imports.retry_policy import RetryPolicy
from api_service.parts import reaper_part
from api_service.settings import Settings
from shared.db import imports
from shared.db.database import Database
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedState
from tests.api_service.api import Api, until
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi, Source

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


@pytest.fixture
async def lost(api: Api, source: Source, repository: str) -> list[str]:
    """Five imports whose workers are lost, the longest ago first."""
    names = []
    for number in range(5):
        source.push(f"{repository}-{number}")
        started = await api.start({"source": f"{source.host}/{repository}-{number}:1.0"})
        await api.claim(started["name"], lease=number - 10)
        names.append(started["name"])
    return names


async def taken_back(api: Api) -> set[int]:
    async with api.database.connection() as connection:
        rows = await connection.fetch("SELECT id FROM imports WHERE (state, failures) = ('queued', 1)")
        return {row["id"] for row in rows}


async def test_a_round_takes_every_lost_import_back(api: Api, lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are: a page's end is not the round's."""
    monkeypatch.setattr(sweep, "PAGE", 2)
    await reap(api.queue, RETRIES)
    assert len(await taken_back(api)) == len(lost)


async def test_an_import_that_cannot_be_taken_back_holds_up_no_other(api: Api, lost: list[str]) -> None:
    """Its image is locked for long: its own transaction ends, and the next round takes it."""
    await api.execute("UPDATE imports SET failures = $1 WHERE id = 1", RETRIES.max_failures)
    async with api.database.transaction() as connection:
        await connection.execute("SELECT FROM images WHERE id = 1 FOR UPDATE")
        await reap(api.queue, RETRIES)
        assert await taken_back(api) == {2, 3, 4, 5}
    await reap(api.queue, RETRIES)
    assert await api.value("SELECT state FROM imports WHERE id = 1") == "failed"


async def test_a_row_that_cannot_be_read_holds_up_no_other(api: Api, lost: list[str]) -> None:
    """A later release wrote an error code that this one does not know."""
    await api.execute("UPDATE imports SET error_code = 'of_a_later_release' WHERE id = 1")
    await reap(api.queue, RETRIES)
    assert await taken_back(api) == {2, 3, 4, 5}


async def test_a_locked_audit_log_holds_up_no_lease(
    api: Api, lost: list[str], open_api: OpenApi, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Purging has loops and transactions of its own."""
    monkeypatch.setattr(reaper, "INTERVAL", 0.05)
    async with api.database.transaction() as connection:
        await connection.execute("LOCK audit_events, outbox IN SHARE ROW EXCLUSIVE MODE")
        await connection.execute("INSERT INTO audit_events (operation, status, at) VALUES ('x', 200, 'epoch')")
        await api.execute("UPDATE imports SET failures = $1", RETRIES.max_failures)
        async with open_api(replace(settings, lease=0.1), [*REQUESTS_ONLY, reaper_part]):
            await until(lambda: _all_failed(api))


async def _all_failed(api: Api) -> bool:
    return bool(await api.value("SELECT every(state = 'failed') FROM imports"))


async def test_instances_that_reap_at_once_take_each_import_back_once(api: Api, lost: list[str]) -> None:
    """They share the expired leases."""
    await asyncio.gather(*(reap(api.queue, RETRIES) for _ in range(4)))
    assert len(await taken_back(api)) == len(lost)
    assert (await reasons(api)).count(WakeUpReason.LEASE_LOST) == len(lost)


async def test_an_outage_during_a_round_ends_it(api: Api, lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker can report then: each gets the grace before the next round."""
    asked = 0

    async def away(*_: object) -> None:
        nonlocal asked
        asked += 1
        raise LongshoreError(Code.DATABASE_UNAVAILABLE, "away")

    monkeypatch.setattr(imports, "lock_expired", away)
    monkeypatch.setattr(Database, "check", away)
    with pytest.raises(LongshoreError, match="away"):
        await reap(api.queue, RETRIES)
    assert asked < 2 * len(lost)


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
