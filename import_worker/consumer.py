"""Takes wake-ups from RabbitMQ. The only place that acknowledges deliveries.

A delivery is held for as long as it takes to claim its import, then acknowledged; the lease carries the import from
there. While every slot is taken the consumer is cancelled, so that no message waits in a busy worker.

The connection is aio-pika's plain one, made anew after any failure: its robust channels can stay dead for ever while
the connection looks alive (after a refused redeclare, for one).
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import aio_pika
import orjson
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from marshmallow import ValidationError

from import_worker.slots import Slots
from shared.errors.error import LongshoreError
from shared.messages.broker import BrokerUnavailableError, bounded
from shared.messages.topology import HEARTBEAT, IMPORTS_QUEUE, declare
from shared.messages.wake_up import WakeUp, WakeUpSchema
from shared.runtime.backoff import Backoff
from shared.tracing.spans import TRACEPARENT

# A channel that brought nothing for so long is replaced: RabbitMQ 3.10 can list a consumer that gets nothing (seen
# after a queue was deleted and declared again at once), and no question about the queue tells. Seconds; the bound on
# how long a worker can be deaf.
QUIET_SECONDS = 20.0
# Before a new connection after a failed one. Seconds.
RECONNECT = Backoff(first=0.5, maximum=15.0)
# Between two tries to claim while the database is away. Seconds.
CLAIM_RETRY_DELAY = 1.0

_log = structlog.stdlib.get_logger(__name__)

# Claims the import of a wake-up and starts it in its own task; False where it is not to be had.
Take = Callable[[WakeUp], Awaitable[bool]]


class Consumer:
    """Feeds a worker's free slots from the imports queue."""

    def __init__(self, amqp_url: str, slots: Slots, take: Take) -> None:
        self._amqp_url = amqp_url
        self._slots = slots
        self._take = take
        self._channel: AbstractChannel | None = None

    @property
    def connected(self) -> bool:
        """Whether there is an open channel, with a consumer unless every slot is taken."""
        return self._channel is not None and not self._channel.is_closed

    async def run(self) -> None:
        """Consume until cancelled; a lost connection is replaced by a new one, for as long as it takes."""
        failures = 0
        while True:
            try:
                await self._consume()
            except BrokerUnavailableError as error:
                failures = failures + 1 if self._channel is None else 1
                _log.warning("no connection to RabbitMQ", error=str(error), next_try=RECONNECT.delay(failures))
                self._channel = None
            await asyncio.sleep(RECONNECT.delay(failures))

    async def _consume(self) -> None:
        """Consume on one connection, on one channel after the other; raises when it breaks."""
        async with bounded():
            connection = await aio_pika.connect(
                self._amqp_url, heartbeat=HEARTBEAT, client_properties={"connection_name": "longshore-worker"}
            )
        try:
            _log.info("consuming", queue=IMPORTS_QUEUE)
            while True:
                await self._consume_on_a_channel(connection)
        finally:
            with suppress(BrokerUnavailableError):
                async with bounded():
                    await connection.close()

    async def _consume_on_a_channel(self, connection: AbstractConnection) -> None:
        async with bounded():
            channel = await connection.channel(publisher_confirms=False)
            # One unacknowledged delivery at a time: none is ever waiting behind the one that is being claimed.
            await channel.set_qos(prefetch_count=1)
            queue = (await declare(channel)).imports
        subscription = _Subscription(channel, queue, self._slots, self._take)
        self._channel = channel
        await subscription.serve_until_quiet()
        async with bounded():
            await channel.close()


class _Subscription:
    """The consumer on one channel, there only while a slot is free."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue, slots: Slots, take: Take) -> None:
        self._channel = channel
        self._queue = queue
        self._slots = slots
        self._take = take
        self._tag: str | None = None
        # None says that the channel has closed.
        self._inbox: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        channel.close_callbacks.add(lambda *_: self._inbox.put_nowait(None))

    async def serve_until_quiet(self) -> None:
        """Handle deliveries until none has come for a while; raises when the channel closes."""
        while True:
            await self._slots.wait_free()
            if self._tag is None:
                async with bounded():
                    self._tag = await self._queue.consume(self._inbox.put)
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    message = await self._inbox.get()
            except TimeoutError:
                return
            if message is None:
                raise BrokerUnavailableError("the channel was closed")
            await self._handle(message)

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        wake_up = _read(message)
        if wake_up is None:
            # To the dead-letter queue, for a person to look at: another try would read the same bytes.
            async with bounded():
                await message.reject(requeue=False)
            return
        await self._take_patiently(wake_up)
        if self._slots.full and self._tag is not None:
            # Before the acknowledgement: until then the broker does not send another delivery.
            async with bounded():
                await self._queue.cancel(self._tag)
            self._tag = None
        async with bounded():
            await message.ack()

    async def _take_patiently(self, wake_up: WakeUp) -> None:
        """Claim the import, waiting for the database if need be, while the channel lives."""
        while True:
            try:
                taken = await self._take(wake_up)
            except LongshoreError as error:
                _log.warning("cannot claim", import_name=wake_up.import_name, error=str(error))
            else:
                _log.debug("claimed" if taken else "nothing to claim", import_name=wake_up.import_name)
                return
            await asyncio.sleep(CLAIM_RETRY_DELAY)
            if self._channel.is_closed:
                raise BrokerUnavailableError("the channel was closed while the database was away")


def _read(message: AbstractIncomingMessage) -> WakeUp | None:
    try:
        wake_up: WakeUp = WakeUpSchema().load(orjson.loads(message.body))
    except (orjson.JSONDecodeError, ValidationError) as error:
        _log.error("unreadable message", message_id=message.message_id, error=str(error)[:200])
        return None
    place = (message.headers or {}).get(TRACEPARENT)
    return replace(wake_up, traceparent=place) if isinstance(place, str) else wake_up
