"""Takes wake-ups from RabbitMQ. The only place that acknowledges deliveries.

A delivery is held for as long as it takes to claim its import, then acknowledged; the lease carries the import from
there. While every slot is taken the consumer is cancelled, so that no message waits in a busy worker.

The connection is aio-pika's plain one, made anew after any failure: its robust channels can stay dead for ever while
the connection looks alive (after a refused redeclare, for one).
"""

import asyncio
from collections.abc import Awaitable, Callable

import aio_pika
import orjson
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError
from marshmallow import ValidationError

from import_worker.slots import Slots
from shared.errors import LongshoreError
from shared.messages import WakeUp, WakeUpSchema
from shared.topology import BROKER_TIMEOUT, HEARTBEAT, IMPORTS_QUEUE, declare

# How often a quiet connection has to prove that the queue still has us as a consumer. Seconds.
CHECK_INTERVAL = 10.0
# Before a new connection after a failed one; doubled with each further failure. Seconds.
FIRST_RECONNECT_DELAY = 0.5
MAX_RECONNECT_DELAY = 15.0
# Between two tries to claim while the database is away. Seconds.
CLAIM_RETRY_DELAY = 1.0

_log = structlog.stdlib.get_logger(__name__)

# Claims the import of a wake-up and starts it in its own task; False where it is not to be had.
Take = Callable[[WakeUp], Awaitable[bool]]


class ConsumerBrokenError(Exception):
    """The channel, the connection or the consumer is gone."""


class Consumer:
    """Feeds a worker's free slots from the imports queue."""

    def __init__(self, amqp_url: str, slots: Slots, take: Take) -> None:
        self._amqp_url = amqp_url
        self._slots = slots
        self._take = take
        self.connected = False

    async def run(self) -> None:
        """Consume until cancelled; a lost connection is replaced by a new one, for as long as it takes."""
        delay = FIRST_RECONNECT_DELAY
        while True:
            try:
                await self._consume()
            except (AMQPError, OSError, TimeoutError, ConsumerBrokenError) as error:
                if self.connected:
                    delay = FIRST_RECONNECT_DELAY
                    _log.warning("connection to RabbitMQ lost", error=repr(error))
                self.connected = False
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_RECONNECT_DELAY)

    async def _consume(self) -> None:
        """Consume on one connection; raises when it breaks."""
        async with asyncio.timeout(BROKER_TIMEOUT):
            connection = await aio_pika.connect(
                self._amqp_url, heartbeat=HEARTBEAT, client_properties={"connection_name": "longshore-worker"}
            )
        async with connection:
            channel = await connection.channel(publisher_confirms=False)
            # One unacknowledged delivery at a time: none is ever waiting behind the one that is being claimed.
            await channel.set_qos(prefetch_count=1, timeout=BROKER_TIMEOUT)
            queue = (await declare(channel)).imports
            self.connected = True
            _log.info("consuming", queue=IMPORTS_QUEUE)
            await _Subscription(channel, queue, self._slots, self._take).serve()


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

    async def serve(self) -> None:
        while True:
            await self._wait_for_slot()
            if self._tag is None:
                self._tag = await self._queue.consume(self._inbox.put, timeout=BROKER_TIMEOUT)
            message = await self._next_message()
            if message is not None:
                await self._handle(message)

    async def _wait_for_slot(self) -> None:
        while not await self._slots.wait_free(CHECK_INTERVAL):
            await self._prove_alive()

    async def _next_message(self) -> AbstractIncomingMessage | None:
        """Return the next delivery, or None after a quiet while in which the broker proved to be there."""
        try:
            async with asyncio.timeout(CHECK_INTERVAL):
                message = await self._inbox.get()
        except TimeoutError:
            await self._prove_alive()
            return None
        if message is None:
            raise ConsumerBrokenError("the channel was closed")
        return message

    async def _prove_alive(self) -> None:
        """Ask the broker for the queue; raises where it does not answer, or no longer knows us as a consumer."""
        queue = await self._channel.declare_queue(IMPORTS_QUEUE, passive=True, timeout=BROKER_TIMEOUT)
        if self._tag is not None and not queue.declaration_result.consumer_count:
            raise ConsumerBrokenError("the queue has lost its consumer")

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        wake_up = _read(message)
        if wake_up is None:
            # To the dead-letter queue, for a person to look at: another try would read the same bytes.
            await message.reject(requeue=False)
            return
        await self._take_patiently(wake_up)
        if self._slots.full and self._tag is not None:
            # Before the acknowledgement: until then the broker does not send another delivery.
            await self._queue.cancel(self._tag, timeout=BROKER_TIMEOUT)
            self._tag = None
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
                raise ConsumerBrokenError("the channel was closed while the database was away")


def _read(message: AbstractIncomingMessage) -> WakeUp | None:
    try:
        wake_up: WakeUp = WakeUpSchema().load(orjson.loads(message.body))
    except (orjson.JSONDecodeError, ValidationError) as error:
        _log.error("unreadable message", message_id=message.message_id, error=str(error)[:200])
        return None
    return wake_up
