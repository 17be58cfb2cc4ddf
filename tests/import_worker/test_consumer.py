"""The consumer against a real RabbitMQ: slots, acknowledgements, and the failures that it survives."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aio_pika
import orjson
import pytest

from deploy.local.stack import RabbitMQ
from import_worker.consumer import Consumer
from import_worker.slots import Slots
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.topology import DEAD_LETTER_QUEUE, IMPORTS_QUEUE, declare
from shared.messages.wake_up import WakeUp, dump_wake_up
from shared.runtime.concurrency import cancel_all
from tests.conftest import manage

DEADLINE = 40.0


class Imports:
    """The claims: every import can be claimed once, and runs until the test ends it."""

    def __init__(self) -> None:
        self.slots = Slots(2)
        self.taken: list[str] = []
        self.end = asyncio.Event()
        self.failures = 0
        self.unannounced: list[str] = []

    async def take(self, wake_up: WakeUp | None) -> bool:
        if wake_up is None:
            return await self.take_unannounced()
        if self.failures:
            self.failures -= 1
            raise LongshoreError(Code.DATABASE_UNAVAILABLE, "away")
        self.taken.append(wake_up.import_name)
        self.slots.start(self._run(), wake_up.import_name)
        return True

    async def take_unannounced(self) -> bool:
        if not self.unannounced:
            return False
        self.taken.append(self.unannounced.pop())
        self.slots.start(self._run(), self.taken[-1])
        return True

    async def _run(self) -> None:
        await self.end.wait()


@pytest.fixture
def imports() -> Imports:
    return Imports()


@asynccontextmanager
async def consuming(amqp_url: str, imports: Imports) -> AsyncIterator[Consumer]:
    consumer = Consumer(amqp_url, imports.slots, imports.take)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        await cancel_all([task, *imports.slots.running])


async def publish(amqp_url: str, *bodies: bytes) -> None:
    connection = await aio_pika.connect(amqp_url)
    async with connection, connection.channel() as channel:
        exchange = (await declare(channel)).exchange
        for body in bodies:
            await exchange.publish(aio_pika.Message(body), IMPORTS_QUEUE)


def wake_up(name: str) -> bytes:
    return orjson.dumps(
        dump_wake_up(
            WakeUp(import_name=name, reason="accepted", attempt=0, source="s", target="t", requested_by="somebody")
        )
    )


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    limit = time.monotonic() + DEADLINE
    while not await condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.05)


class Queue:
    """RabbitMQ's own view of a queue."""

    def __init__(self, amqp_url: str, name: str) -> None:
        self._amqp_url = amqp_url
        self._name = name

    async def counts(self) -> tuple[int, int]:
        """Return the number of ready messages, and of consumers."""
        connection = await aio_pika.connect(self._amqp_url)
        async with connection, connection.channel() as channel:
            result = (await channel.declare_queue(self._name, passive=True)).declaration_result
        return result.message_count or 0, result.consumer_count or 0

    async def become(self, messages: int, consumers: int) -> None:
        async def as_wanted() -> bool:
            return await self.counts() == (messages, consumers)

        await eventually(as_wanted)


async def count_taken(imports: Imports, count: int) -> None:
    async def as_many() -> bool:
        return len(imports.taken) >= count

    await eventually(as_many)


async def test_a_busy_worker_leaves_messages_in_the_queue(amqp_url: str, imports: Imports) -> None:
    """With two slots taken it is no consumer, and three messages wait for a free worker; then it consumes again."""
    await publish(amqp_url, *(wake_up(f"import-{n}") for n in range(5)))
    async with consuming(amqp_url, imports):
        await Queue(amqp_url, IMPORTS_QUEUE).become(messages=3, consumers=0)
        assert len(imports.taken) == 2
        imports.end.set()
        await Queue(amqp_url, IMPORTS_QUEUE).become(messages=0, consumers=1)
    assert sorted(imports.taken) == [f"import-{n}" for n in range(5)]


async def test_deliveries_are_acknowledged_while_their_imports_run(amqp_url: str, imports: Imports) -> None:
    """If the worker dies now, RabbitMQ delivers nothing again: the lease protects the imports."""
    await publish(amqp_url, wake_up("one"))
    async with consuming(amqp_url, imports):
        await count_taken(imports, 1)
        await Queue(amqp_url, IMPORTS_QUEUE).become(messages=0, consumers=1)
    await Queue(amqp_url, IMPORTS_QUEUE).become(messages=0, consumers=0)


async def test_an_unreadable_message_is_put_aside(amqp_url: str, imports: Imports) -> None:
    """It goes to the dead-letter queue for an operator, and does not stop the next one."""
    other_version = json.dumps({**json.loads(wake_up("future")), "version": 2}).encode()
    await publish(amqp_url, b"\xff", b"[]", b"{}", other_version, wake_up("good"))
    async with consuming(amqp_url, imports):
        await count_taken(imports, 1)
        await Queue(amqp_url, DEAD_LETTER_QUEUE).become(messages=4, consumers=0)
    assert imports.taken == ["good"]


async def test_a_database_that_is_away_delays_a_claim(amqp_url: str, imports: Imports) -> None:
    """The delivery is held and tried again; it is neither lost nor rejected."""
    imports.failures = 2
    await publish(amqp_url, wake_up("patient"))
    async with consuming(amqp_url, imports):
        await count_taken(imports, 1)
    assert await Queue(amqp_url, DEAD_LETTER_QUEUE).counts() == (0, 0)


async def test_a_closed_connection_is_replaced(rabbitmq: RabbitMQ, amqp_url: str, imports: Imports) -> None:
    """An operator closes it in the console; running imports continue, and the next message is consumed."""
    await publish(amqp_url, wake_up("before"))
    async with consuming(amqp_url, imports):
        await count_taken(imports, 1)
        await close_connections(rabbitmq, amqp_url)
        await publish(amqp_url, wake_up("after"))
        await count_taken(imports, 2)
        assert len(imports.slots.running) == 2
    assert imports.taken == ["before", "after"]


async def test_a_deleted_queue_is_declared_again(
    rabbitmq: RabbitMQ, amqp_url: str, imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This also holds if the broker lists the consumer and sends it nothing: a quiet channel is replaced."""
    monkeypatch.setattr("import_worker.consumer.QUIET_SECONDS", 0.5)
    host = quote(amqp_url.rpartition("/")[2], safe="")
    async with consuming(amqp_url, imports) as consumer:

        async def connected() -> bool:
            return consumer.connected

        await eventually(connected)
        await asyncio.to_thread(manage, rabbitmq, "DELETE", f"queues/{host}/{IMPORTS_QUEUE}")
        await publish(amqp_url, wake_up("after"))
        await count_taken(imports, 1)


async def close_connections(rabbitmq: RabbitMQ, amqp_url: str) -> None:
    """Close every connection of the virtual host, once the management plugin lists one."""
    host = amqp_url.rpartition("/")[2]

    async def closed() -> bool:
        listed: list[dict[str, Any]] = json.loads(await asyncio.to_thread(manage, rabbitmq, "GET", "connections"))
        ours = [connection["name"] for connection in listed if connection.get("vhost") == host]
        for name in ours:
            await asyncio.to_thread(manage, rabbitmq, "DELETE", f"connections/{quote(name, safe='')}")
        return bool(ours)

    await eventually(closed)


async def test_an_import_without_a_message_is_found(amqp_url: str, imports: Imports) -> None:
    """Its message woke a worker for another import, or found its user at the limit."""
    imports.unannounced = ["forgotten"]
    async with consuming(amqp_url, imports):
        await count_taken(imports, 1)
    assert imports.taken == ["forgotten"]


async def test_a_free_slot_takes_what_no_message_announces(amqp_url: str, imports: Imports) -> None:
    """Both slots were taken when its message was used up."""
    async with consuming(amqp_url, imports):
        await publish(amqp_url, wake_up("first"), wake_up("second"))
        await count_taken(imports, 2)
        imports.unannounced = ["third"]
        imports.end.set()
        await count_taken(imports, 3)
    assert imports.taken[2] == "third"


async def test_a_reserved_slot_is_filled_while_the_others_are_taken(amqp_url: str, imports: Imports) -> None:
    """The worker looks for such an import by itself, and leaves the messages to workers with a free slot."""
    imports.slots = Slots(2, reserved=1)
    await publish(amqp_url, *(wake_up(f"import-{n}") for n in range(4)))
    async with consuming(amqp_url, imports):
        await Queue(amqp_url, IMPORTS_QUEUE).become(messages=2, consumers=0)
        imports.unannounced = ["late", "latest"]
        await count_taken(imports, 3)
        await Queue(amqp_url, IMPORTS_QUEUE).become(messages=2, consumers=0)
        assert imports.taken[2:] == ["latest"]
        assert not imports.slots.has_room


async def test_a_message_that_arrives_as_the_last_slot_fills_goes_back(amqp_url: str, imports: Imports) -> None:
    """A worker with a free slot gets it at once."""
    imports.slots = Slots(1)
    arrived = asyncio.Event()

    async def take(wake_up_of: WakeUp | None) -> bool:
        if imports.slots.running:
            return False
        assert wake_up_of is None
        await publish(amqp_url, wake_up("announced"))
        await Queue(amqp_url, IMPORTS_QUEUE).become(messages=0, consumers=1)
        arrived.set()
        return await imports.take_unannounced()

    imports.unannounced = ["found"]
    consumer = asyncio.create_task(Consumer(amqp_url, imports.slots, take).run())
    await asyncio.wait_for(arrived.wait(), DEADLINE)
    await Queue(amqp_url, IMPORTS_QUEUE).become(messages=1, consumers=0)
    assert imports.taken == ["found"]
    await cancel_all([consumer, *imports.slots.running])
