"""The connection on which wake-up messages are published: the API's wrapper of aio-pika."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aio_pika
import aiormq.abc
import orjson
from aio_pika.abc import AbstractChannel
from pamqp.commands import Basic

from shared.messages.broker import BrokerUnavailableError, bounded, translated
from shared.messages.topology import BROKER_TIMEOUT, EXCHANGE, HEARTBEAT, IMPORTS_QUEUE, declare
from shared.messages.wake_up import WakeUp, dump_wake_up
from shared.runtime.concurrency import cancel_all
from shared.tracing.spans import TRACEPARENT, Kind, entry, traceparent

CONNECTION_NAME = "longshore-api outbox"
MESSAGE_TYPE = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The number of messages in the queue of imports, and of consumers: workers with a free slot."""

    messages: int
    consumers: int


class Broker:
    """One connection with one channel; after any failure, close it and open another.

    aio-pika's robust connections are not used: one whose restoring fails stays closed while it looks open.
    """

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel

    async def publish(self, messages: Sequence[WakeUp]) -> list[BaseException | None]:
        """Publish these messages together; return None for each that RabbitMQ has confirmed, or its failure.

        After a failure, RabbitMQ may have the message nevertheless.
        """
        with translated():
            channel = await self._channel.get_underlay_channel()
        tasks = [asyncio.create_task(_publish(channel, message)) for message in messages]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=BROKER_TIMEOUT)
        finally:
            await cancel_all(tasks)
        return [_outcome(task) for task in tasks]

    def check_open(self) -> None:
        """Raise BrokerUnavailableError if the connection is known to be lost."""
        if self._channel.is_closed:
            raise BrokerUnavailableError("the connection was lost")

    async def check(self) -> QueueDepth:
        """Declare the queue passively, which shows that RabbitMQ answers, and return its depth."""
        async with bounded():
            queue = await self._channel.declare_queue(IMPORTS_QUEUE, passive=True)
        result = queue.declaration_result
        return QueueDepth(messages=result.message_count or 0, consumers=result.consumer_count or 0)


@asynccontextmanager
async def open_broker(url: str) -> AsyncIterator[Broker]:
    """Connect, declare the topology, and close after the block; raises BrokerUnavailableError."""
    async with bounded():
        connection = await aio_pika.connect(url, heartbeat=HEARTBEAT, name=CONNECTION_NAME)
    try:
        async with bounded():
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await declare(channel)
        yield Broker(channel)
    finally:
        with suppress(BrokerUnavailableError):
            async with bounded():
                await connection.close()


async def _publish(channel: aiormq.abc.AbstractChannel, message: WakeUp) -> None:
    """Return when RabbitMQ has confirmed the message.

    It uses the layer below aio-pika's exchange: to build a `Message` there takes as long as all the rest of publishing.
    """
    values = {"longshore.import": message.import_name, "longshore.reason": message.reason}
    with entry(f"publish {IMPORTS_QUEUE}", Kind.PRODUCER, message.traceparent, values), translated():
        await channel.basic_publish(
            orjson.dumps(dump_wake_up(message), option=orjson.OPT_INDENT_2),
            exchange=EXCHANGE,
            routing_key=IMPORTS_QUEUE,
            properties=_properties(message, traceparent() or message.traceparent),
            mandatory=True,
        )


def _outcome(task: asyncio.Task[None]) -> BaseException | None:
    if task.cancelled():
        return BrokerUnavailableError("RabbitMQ did not confirm the message in time")
    return task.exception()


def _properties(message: WakeUp, span: str | None) -> Basic.Properties:
    """Return what RabbitMQ's console shows beside the body, without secrets; `span` is the message's traceparent."""
    return Basic.Properties(
        message_id=message.import_name,
        message_type=MESSAGE_TYPE,
        headers={"attempt": message.attempt, "reason": message.reason, **({TRACEPARENT: span} if span else {})},
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
