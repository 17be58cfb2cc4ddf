"""The connection on which wake-up messages are published: the API's wrapper of aio-pika."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aio_pika
import orjson
from aio_pika.abc import AbstractChannel, AbstractExchange

from shared.messages.broker import BrokerUnavailableError, bounded
from shared.messages.topology import HEARTBEAT, IMPORTS_QUEUE, declare
from shared.messages.wake_up import WakeUp, dump_wake_up
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

    def __init__(self, channel: AbstractChannel, exchange: AbstractExchange) -> None:
        self._channel = channel
        self._exchange = exchange

    async def publish(self, message: WakeUp) -> None:
        """Return when RabbitMQ has confirmed the message. After an error, RabbitMQ may have it nevertheless."""
        values = {"longshore.import": message.import_name, "longshore.reason": message.reason}
        with entry(f"publish {IMPORTS_QUEUE}", Kind.PRODUCER, message.traceparent, values):
            packed = _packed(message, traceparent() or message.traceparent)
            async with bounded():
                await self._exchange.publish(packed, IMPORTS_QUEUE, mandatory=True)

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
            topology = await declare(channel)
        yield Broker(channel, topology.exchange)
    finally:
        with suppress(BrokerUnavailableError):
            async with bounded():
                await connection.close()


def _packed(message: WakeUp, span: str | None) -> aio_pika.Message:
    """Return a message that is readable in RabbitMQ's console and has no secrets; `span` is its traceparent."""
    return aio_pika.Message(
        orjson.dumps(dump_wake_up(message), option=orjson.OPT_INDENT_2),
        message_id=message.import_name,
        type=MESSAGE_TYPE,
        headers={"attempt": message.attempt, "reason": message.reason, **({TRACEPARENT: span} if span else {})},
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
