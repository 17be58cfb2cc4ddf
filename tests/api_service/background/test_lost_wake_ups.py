"""Wake-ups that were lost in RabbitMQ are repeated."""

import pytest

from api_service.background import wake_ups
from api_service.background.wake_ups import LEADER_LOCK, WakeUpRepeater
from shared.db.database import try_lead
from tests.api_service.api import Api
from tests.api_service.conftest import Source


@pytest.fixture
async def name(api: Api, image_source: str) -> str:
    """An import whose first message is published."""
    started = await api.start({"source": image_source})
    await api.execute("UPDATE outbox SET published_at = now()")
    return str(started["name"])


@pytest.fixture
def repeater(api: Api) -> WakeUpRepeater:
    return WakeUpRepeater(api.queue)


async def reasons(api: Api) -> list[str]:
    async with api.database.connection() as connection:
        return [row["reason"] for row in await connection.fetch("SELECT reason FROM outbox ORDER BY id")]


async def test_the_wake_up_of_an_import_without_a_message_is_repeated(
    api: Api, name: str, repeater: WakeUpRepeater
) -> None:
    """An operator purged the queue, or RabbitMQ lost its disk: the row in the database decides."""
    await api.execute("UPDATE imports SET due_at = now() - interval '2 minutes'")
    await repeater.repeat()
    assert await reasons(api) == ["requested"]
    await api.execute("UPDATE outbox SET published_at = now() - interval '61 seconds'")
    await repeater.repeat()
    await repeater.repeat()
    assert await reasons(api) == ["requested", "republished"]


async def test_the_wake_ups_of_a_long_wait_become_rarer(api: Api, name: str, repeater: WakeUpRepeater) -> None:
    """Most waiting imports have their message in a long queue, which must not grow further."""
    await api.execute("UPDATE imports SET due_at = now() - interval '1 hour'")
    for seconds in (61, 121, 241):
        await api.execute("UPDATE outbox SET published_at = now() - make_interval(secs => $1)", seconds - 2)
        await repeater.repeat()
        before = await reasons(api)
        await api.execute("UPDATE outbox SET published_at = now() - make_interval(secs => $1)", seconds)
        await repeater.repeat()
        assert len(await reasons(api)) == len(before) + 1


async def test_imports_that_are_not_due_are_left_alone(api: Api, name: str, repeater: WakeUpRepeater) -> None:
    await api.execute("DELETE FROM outbox")
    await api.execute("UPDATE imports SET due_at = now() + interval '1 minute'")
    await repeater.repeat()
    assert await reasons(api) == []


async def test_rounds_look_at_one_page_after_the_other(
    api: Api, source: Source, repository: str, repeater: WakeUpRepeater, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A round costs the same however many imports are due; the last of them has its turn, and then the first again."""
    monkeypatch.setattr(wake_ups, "PAGE", 2)
    for number in range(5):
        source.push(f"{repository}-{number}")
        await api.start({"source": f"{source.host}/{repository}-{number}:1.0"})
    await api.execute("UPDATE imports SET due_at = now() - interval '1 hour'")
    await api.execute("DELETE FROM outbox")
    for woken in (2, 4, 5):
        await repeater.repeat()
        assert await api.value("SELECT count(DISTINCT import_id) FROM outbox") == woken
    await api.execute("DELETE FROM outbox WHERE import_id = 1")
    await repeater.repeat()
    assert await api.value("SELECT count(DISTINCT import_id) FROM outbox") == 5


async def test_one_instance_repeats_at_a_time(api: Api, name: str, repeater: WakeUpRepeater) -> None:
    await api.execute("DELETE FROM outbox")
    await api.execute("UPDATE imports SET due_at = now() - interval '1 hour'")
    async with api.database.transaction() as connection:
        assert await try_lead(connection, LEADER_LOCK)
        await repeater.repeat()
        assert await reasons(api) == []
    await repeater.repeat()
    assert await reasons(api) == ["republished"]
