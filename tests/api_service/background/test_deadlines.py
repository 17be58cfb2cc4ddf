"""The deadline of imports: each ends, also one that waits."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from api_service.background.deadlines import DeadlineKeeper
from api_service.imports.retry_policy import DEFAULT_PARKING
from api_service.parts import reaper_part
from api_service.settings import Settings
from shared.db import imports
from shared.db.imports import OverdueImport
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from tests.api_service.api import Api, until
from tests.api_service.conftest import REQUESTS_ONLY, OpenApi

DEADLINE = 3600.0


@pytest.fixture
async def name(api: Api, image_source: str) -> str:
    started = await api.start({"source": image_source})
    return str(started["name"])


@pytest.fixture
def keeper(api: Api) -> DeadlineKeeper:
    return DeadlineKeeper(api.database, deadline=DEADLINE)


async def state(api: Api) -> str:
    text: str = await api.value(
        "SELECT state || ' ' || coalesce(error_code, '-') FROM imports ORDER BY id DESC LIMIT 1"
    )
    return text


async def age(api: Api, seconds: float) -> None:
    """Move the first attempt's start back by so many seconds."""
    await api.execute("UPDATE imports SET started_at = started_at - make_interval(secs => $1)", seconds)


async def rate_limit(api: Api, name: str) -> None:
    """End the attempt by a rate limit, which is never counted as a failure."""
    claimed = await api.claim(name)
    error = ReportedError(code=Code.SOURCE_RATE_LIMITED, detail="hub.invalid limits.", retry_after=DEFAULT_PARKING)
    await api.report(name, ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.FAILED, error=error))


async def test_an_import_that_waits_for_a_rate_limit_ends(api: Api, name: str, keeper: DeadlineKeeper) -> None:
    """The wait counts, and the last error is in the detail."""
    await rate_limit(api, name)
    await age(api, DEADLINE - 60)
    await keeper.end_overdue()
    assert await state(api) == "waiting source_rate_limited"
    await age(api, 60)
    await keeper.end_overdue()
    assert await state(api) == "failed import_timed_out"
    detail = await api.value("SELECT error_detail FROM imports")
    assert detail.endswith("The last error was source_rate_limited: hub.invalid limits.")
    assert await api.value("SELECT status FROM images") == "failed"


async def test_a_running_import_ends_and_its_worker_is_stopped(api: Api, name: str, keeper: DeadlineKeeper) -> None:
    claimed = await api.claim(name)
    await age(api, DEADLINE)
    await keeper.end_overdue()
    assert await state(api) == "failed import_timed_out"
    report = ProgressReport(attempt=claimed.attempt, sequence=1, state=ReportedState.RUNNING)
    assert (await api.report(name, report)).code == "import_superseded"


async def test_the_deadline_counts_from_the_first_attempt(api: Api, name: str, keeper: DeadlineKeeper) -> None:
    """Waiting for a free worker is no trying; a second attempt does not count anew."""
    await api.execute("UPDATE imports SET created_at = now() - interval '9 days'")
    await wait_for_a_worker(api, 6.9 * DEADLINE)
    await keeper.end_overdue()
    assert await state(api) == "queued -"
    await rate_limit(api, name)
    await age(api, DEADLINE)
    await api.execute("UPDATE imports SET due_at = now()")
    await api.claim(name)
    await keeper.end_overdue()
    assert await state(api) == "failed import_timed_out"


async def wait_for_a_worker(api: Api, seconds: float) -> None:
    """Let the import have been due for so many seconds."""
    await api.execute("UPDATE imports SET due_at = now() - make_interval(secs => $1)", seconds)


@pytest.mark.usefixtures("name")
async def test_an_import_that_no_worker_begins_ends(api: Api, keeper: DeadlineKeeper) -> None:
    """Every accepted import ends, although an installation may have lost all of its workers."""
    await wait_for_a_worker(api, 7 * DEADLINE)
    await keeper.end_overdue()
    assert await state(api) == "failed import_timed_out"
    assert await api.value("SELECT error_detail FROM imports") == "No worker began the import within 25200 seconds."
    assert await api.value("SELECT status FROM images") == "failed"


async def test_an_import_that_a_worker_begins_at_the_last_moment_goes_on(
    api: Api, name: str, keeper: DeadlineKeeper
) -> None:
    """The claim came between the search for overdue imports and their end."""
    await wait_for_a_worker(api, 7 * DEADLINE)
    find = imports.unbegun_imports

    async def find_then_claim(*given: Any, **named: Any) -> list[OverdueImport]:
        found = await find(*given, **named)
        await api.claim(name)
        return found

    with patch("shared.db.imports.unbegun_imports", find_then_claim):
        await keeper.end_overdue()
    assert await state(api) == "running -"


async def test_an_import_that_has_begun_may_be_due_for_long(api: Api, name: str, keeper: DeadlineKeeper) -> None:
    """Its deadline is that from its first attempt on."""
    await rate_limit(api, name)
    await wait_for_a_worker(api, 7 * DEADLINE)
    await keeper.end_overdue()
    assert await state(api) == "waiting source_rate_limited"


async def test_a_retry_starts_a_new_deadline(api: Api, name: str, keeper: DeadlineKeeper) -> None:
    await api.claim(name)
    await age(api, DEADLINE)
    await keeper.end_overdue()
    image_id = await api.value("SELECT image_id FROM imports")
    answer = await api.call("POST", f"/api/v1/images/{image_id}/importing:retry", json={})
    assert answer.status == 200
    await api.claim(answer.body["name"])
    await keeper.end_overdue()
    assert await state(api) == "running -"


async def test_many_imports_end_in_one_round(
    api: Api, name: str, keeper: DeadlineKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round goes on behind an import that is locked."""
    monkeypatch.setattr("api_service.background.sweep.PAGE", 1)
    await api.claim(name)
    await age(api, DEADLINE)
    async with api.database.transaction() as connection:
        await connection.execute("SELECT FROM imports FOR UPDATE")
        await keeper.end_overdue()
    assert await state(api) == "running -"
    await keeper.end_overdue()
    assert await state(api) == "failed import_timed_out"


async def test_an_api_keeps_the_deadlines(api: Api, name: str, open_api: OpenApi, settings: Settings) -> None:
    """The loop runs in the service, with its setting, on imports that an earlier release started, too."""
    await rate_limit(api, name)
    await age(api, DEADLINE)
    async with open_api(replace(settings, deadline=DEADLINE), [*REQUESTS_ONLY, reaper_part]):
        await until(lambda: _timed_out(api))


async def _timed_out(api: Api) -> bool:
    return await state(api) == "failed import_timed_out"
