"""The relay: outbox rows reach RabbitMQ, even after RabbitMQ has failed."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue
from structlog.testing import capture_logs

from api_service.background import relay
from api_service.background.broker import open_broker
from api_service.parts import PARTS
from api_service.settings import Settings
from deploy.local.stack import RabbitMQ, Registry
from shared.db import outbox
from shared.db.database import Database
from shared.db.outbox import WakeUpReason
from shared.messages.broker import BrokerUnavailableError
from shared.messages.topology import IMPORTS_QUEUE, declare
from shared.target.settings import TargetSettings
from tests.api_service.api import DEADLINE, Api, until
from tests.api_service.conftest import OpenApi


@pytest.fixture
def with_broker(settings: Settings, amqp_url: str, target_registry: Registry) -> Settings:
    target = TargetSettings(host=target_registry.host, credential=None)
    return replace(settings, shared=replace(settings.shared, amqp_url=amqp_url, target=target))


@asynccontextmanager
async def queue(url: str) -> AsyncIterator[AbstractQueue]:
    """The queue, as a worker sees it."""
    connection = await aio_pika.connect(url)
    async with connection:
        yield (await declare(await connection.channel())).imports


async def received(url: str) -> AbstractIncomingMessage:
    """Take one message off the queue."""
    async with queue(url) as imports, asyncio.timeout(DEADLINE):
        while True:
            message = await imports.get(fail=False, no_ack=True, timeout=DEADLINE)
            if message:
                return message
            await asyncio.sleep(0.05)


async def depth(url: str) -> int:
    async with queue(url) as imports:
        return imports.declaration_result.message_count or 0


async def unpublished(api: Api) -> int:
    count: int = await api.value("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    return count


async def add_import(database: Database, name: str, *, delay: float = 0) -> None:
    """Add an import with a message to the database."""
    async with database.transaction() as connection:
        import_id = await connection.fetchval(
            """
            WITH image AS (
                INSERT INTO images (registry_host, repository, tag, status, source, created_by)
                VALUES ('h', 'r/r', $1, 'importing', 'docker.io/a/b:1', 'alice') RETURNING id
            )
            INSERT INTO imports (name, image_id, state, source, requested_by)
            SELECT $1, id, 'queued', 'docker.io/a/b:1', 'alice' FROM image RETURNING id
            """,
            name,
        )
        await outbox.add(connection, import_id, WakeUpReason.REQUESTED, delay=delay)


async def test_an_import_reaches_the_queue_at_once(
    open_api: OpenApi, with_broker: Settings, amqp_url: str, image_source: str
) -> None:
    """The message is durable, readable in RabbitMQ's console, and without secrets."""
    async with open_api(with_broker, PARTS) as api:
        credentials = {"username": "someone", "password": "a-secret-password"}
        started = await api.start({"source": image_source, "credentials": credentials})
        message = await received(amqp_url)
        await until(lambda: _is_zero(api))
    assert (message.message_id, message.type) == (started["name"], "import")
    assert (message.content_type, message.delivery_mode) == ("application/json", aio_pika.DeliveryMode.PERSISTENT)
    assert (message.headers["attempt"], message.headers["reason"]) == (0, "requested")
    assert json.loads(message.body) == {
        "version": 1,
        "import": started["name"],
        "reason": "requested",
        "attempt": 0,
        "source": image_source,
        "target": (await _target(api, started["imageId"])),
        "requestedBy": "user",
    }
    assert b"a-secret-password" not in message.body


async def _is_zero(api: Api) -> bool:
    return await unpublished(api) == 0


async def _target(api: Api, image_id: int) -> str:
    target: str = await api.value("SELECT repository || ':' || tag FROM images WHERE id = $1", image_id)
    return target


async def test_a_message_is_sent_when_it_is_due(database: Database, settings: Settings, amqp_url: str) -> None:
    """A retry is a row with a due time, from which the relay computes how long to wait."""
    await add_import(database, "later", delay=0.6)
    async with open_broker(amqp_url) as broker:
        wait = await relay.publish_due(database, broker)
        assert 0.2 < wait <= 0.6
        assert await depth(amqp_url) == 0
        await asyncio.sleep(wait)
        await relay.publish_due(database, broker)
        assert await depth(amqp_url) == 1


async def test_relays_share_the_rows(database: Database, amqp_url: str) -> None:
    """Several instances together publish each message once."""
    for number in range(30):
        await add_import(database, f"import-{number}")
    async with open_broker(amqp_url) as one, open_broker(amqp_url) as two:
        await asyncio.gather(*(relay.publish_due(database, broker) for broker in (one, two, one, two)))
    assert await depth(amqp_url) == 30


async def test_more_than_a_batch_is_published_without_a_pause(
    database: Database, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "BATCH", 2)
    for number in range(3):
        await add_import(database, f"import-{number}")
    async with open_broker(amqp_url) as broker:
        assert await relay.publish_due(database, broker) == 0
        assert await relay.publish_due(database, broker) > 0
    assert await depth(amqp_url) == 3


async def test_a_message_that_rabbitmq_returns_stays_unpublished(database: Database, api: Api, amqp_url: str) -> None:
    """The queue was deleted: the message is unroutable. The next connection declares the queue and publishes."""
    await add_import(database, "import-1")
    async with open_broker(amqp_url) as broker:
        async with queue(amqp_url) as imports:
            await imports.delete(if_empty=False, if_unused=False)
        with pytest.raises(BrokerUnavailableError):
            await relay.publish_due(database, broker)
    assert await unpublished(api) == 1
    async with open_broker(amqp_url) as broker:
        await relay.publish_due(database, broker)
    assert (await unpublished(api), await depth(amqp_url)) == (0, 1)


async def test_a_message_that_a_full_queue_rejects_stays_unpublished(
    database: Database, api: Api, amqp_url: str
) -> None:
    """RabbitMQ rejects a publish (reject-publish), which the confirm shows."""
    async with open_broker(amqp_url) as broker:
        connection = await aio_pika.connect(amqp_url)
        async with connection:
            channel = await connection.channel()
            full = await channel.declare_queue(
                "full",
                durable=True,
                arguments={"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"},
            )
            await full.bind("longshore", IMPORTS_QUEUE)
            for number in range(3):
                await add_import(database, f"import-{number}")
            with pytest.raises(BrokerUnavailableError):
                await relay.publish_due(database, broker)
    assert 1 <= await unpublished(api) <= 2


async def test_a_silent_rabbitmq_holds_no_row_for_long(
    database: Database, api: Api, rabbitmq: RabbitMQ, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RabbitMQ is frozen, with its connections open: the publish times out, and the row stays unpublished."""
    await add_import(database, "import-1")
    async with open_broker(amqp_url) as broker:
        monkeypatch.setattr("shared.messages.broker.BROKER_TIMEOUT", 0.5)
        os.kill(rabbitmq.pid, signal.SIGSTOP)
        try:
            # On a busy machine it runs on long enough to confirm a message.
            await until(lambda: asyncio.to_thread(_stands_still, rabbitmq.pid))
            with pytest.raises(BrokerUnavailableError):
                await relay.publish_due(database, broker)
            with pytest.raises(BrokerUnavailableError):
                await broker.check()
        finally:
            os.kill(rabbitmq.pid, signal.SIGCONT)
    assert await unpublished(api) == 1


def _stands_still(pid: int) -> bool:
    """Return whether every thread of the process has stopped."""
    stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


async def test_the_api_serves_while_rabbitmq_is_away(
    open_api: OpenApi, with_broker: Settings, rabbitmq: RabbitMQ, amqp_url: str, image_source: str
) -> None:
    """The API accepts imports; their messages arrive when RabbitMQ is back, and /readyz reports both."""
    async with open_api(with_broker, PARTS) as api:
        await until(lambda: _ready(api, expected=True))
        # Not killed: RabbitMQ 3.10 loses the leader of a quorum queue that is younger than a few seconds.
        await asyncio.to_thread(rabbitmq.stop)
        try:
            await until(lambda: _ready(api, expected=False))
            with capture_logs() as logs:
                started = await api.start({"source": image_source})
                assert (await api.get("/images"))["totalCount"] == 1
                await asyncio.sleep(2)
            assert [log for log in logs if log["event"] == "part.down"] == []
        finally:
            await asyncio.to_thread(rabbitmq.start)
        assert (await received(amqp_url)).message_id == started["name"]
        await until(lambda: _ready(api, expected=True))


async def _ready(api: Api, *, expected: bool) -> bool:
    answer = await api.call("GET", "/readyz", role=None)
    parts: Any = answer.body["parts"]
    assert (answer.body["status"] == "ready") == all(part["ready"] for part in parts.values())
    return bool(parts["rabbitmq"]["ready"] is expected)
