"""/healthz and /readyz."""

import asyncio
from dataclasses import replace

from api_service.parts import PARTS
from api_service.settings import Settings
from shared.db.migrations.revision import needed_revision
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.readiness import CachedCheck, PartDownError, Readiness
from tests.api_service.api import Api
from tests.api_service.conftest import OpenApi


async def test_alive_says_nothing_of_others(api: Api) -> None:
    answer = await api.call("GET", "/healthz", role=None)
    assert (answer.status, answer.body) == (200, {"status": "ok"})


async def test_each_part_that_is_away_is_named(open_api: OpenApi, settings: Settings) -> None:
    """The answer gives no address, version or password. Its status is 200, because the API can wait for these parts."""
    async with open_api(settings, PARTS) as api:
        answer = await api.call("GET", "/readyz", role=None)
    assert answer.status == 200
    assert answer.body["status"] == "degraded"
    parts = answer.body["parts"]
    assert {name: part["ready"] for name, part in parts.items()} == {
        "database": True,
        "schema": True,
        "rabbitmq": False,
        "target": False,
    }
    assert parts["rabbitmq"]["detail"] == "not connected; messages wait in the database"
    # The registry client retries, which may take too long on a busy machine.
    assert parts["target"]["detail"].startswith(("target_unreachable: ", "no answer in time"))
    assert "guest" not in str(answer.body)


async def test_an_older_schema_is_named(open_api: OpenApi, settings: Settings, api: Api) -> None:
    await api.execute("UPDATE alembic_version SET version_num = '0000'")
    try:
        async with open_api(settings, PARTS) as other:
            answer = await other.call("GET", "/readyz", role=None)
    finally:
        await api.execute("UPDATE alembic_version SET version_num = $1", needed_revision())
    assert (answer.status, answer.body["status"]) == (503, "unready")
    wrong = f"revision 0000, needed {needed_revision()}: run `longshore-api migrate`"
    assert answer.body["parts"]["schema"]["detail"] == wrong


async def test_an_unavailable_database_is_reported_in_time(open_api: OpenApi, settings: Settings) -> None:
    shared = replace(settings.shared, database_url="postgresql://nobody:x@127.0.0.1:1/none")
    async with asyncio.timeout(10):
        async with open_api(replace(settings, shared=shared), PARTS) as api:
            answer = await api.call("GET", "/readyz", role=None)
    assert answer.status == 503
    assert answer.body["parts"]["database"]["detail"].startswith("database_unavailable")


async def test_a_silent_part_delays_no_caller() -> None:
    async def silent() -> None:
        await asyncio.sleep(60)

    async def fine() -> None:
        return

    async with asyncio.timeout(5):
        ready, body = await Readiness({"silent": silent, "fine": fine}).report()
    assert not ready
    assert body["parts"] == {"silent": {"ready": False, "detail": "no answer in time"}, "fine": {"ready": True}}


async def test_a_remembered_check_asks_once_in_a_while() -> None:
    """This holds for concurrent callers, and for failures as well as successes."""
    asked = 0

    async def target() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        raise LongshoreError(Code.TARGET_UNREACHABLE, "It is away.")

    check = CachedCheck(target, seconds=60)
    outcomes = await asyncio.gather(*(check() for _ in range(20)), return_exceptions=True)
    assert {str(outcome) for outcome in outcomes} == {"target_unreachable: It is away."}
    assert all(isinstance(outcome, PartDownError) for outcome in outcomes)
    assert asked == 1
    impatient = CachedCheck(target, seconds=0)
    await asyncio.gather(impatient(), impatient(), return_exceptions=True)
    assert asked == 3


async def test_a_stopping_process_is_unready_whatever_its_parts_are() -> None:
    """It should not get new requests, although it still answers."""

    async def fine() -> None:
        return

    readiness = Readiness({"database": fine})
    assert (await readiness.report())[0]
    readiness.stop()
    assert await readiness.report() == (False, {"status": "stopping", "parts": {"database": {"ready": True}}})
