"""Consumes wake-ups from RabbitMQ. The only module that acknowledges deliveries.

A message only wakes the worker: the claim chooses among all due imports. A delivery stays unacknowledged until the
claim; from then on the lease protects the import. While every slot is taken the consumer is cancelled, so that no
message waits in a busy worker. The worker also claims without a message, when a slot becomes free, and now and then,
for its reserved slots, too: a message that claimed another import, or found each user at the limit, thus delays none.

The connection is aio-pika's plain one, replaced after any failure: channels of its robust connection can stay dead
while the connection looks alive (for example after a refused redeclare). Why: docs/decisions/0001.
"""

import asyncio
import time
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

# A channel without a delivery for this long is replaced: RabbitMQ 3.10 can list a consumer that receives nothing (seen
# after a queue was deleted and declared again at once), and no query of the queue shows it. Seconds; the longest time
# that a worker can miss deliveries.
QUIET_SECONDS = 20.0
# Without a delivery for this long, the worker looks for a due import by itself. Seconds; it bounds how long one waits
# that no message announces, and costs a claim that finds nothing.
LOOK_SECONDS = 2.0
# While reserved slots alone are free, the worker looks this often for a user who has no import running. It is no
# consumer then, because most messages would be those of users who have. Seconds; shorter than an import of a small
# image, and a hundred workers together look 200 times a second, which a database bears.
RESERVED_LOOK_SECONDS = 0.5
# Before a new connection after a failed one. Seconds.
RECONNECT = Backoff(first=0.5, maximum=15.0)
# Between two tries to claim an import while the database is away. Seconds.
CLAIM_RETRY_DELAY = 1.0

_log = structlog.stdlib.get_logger(__name__)

# Claims a due import and starts it in a new task, woken by a message or not; returns False if none can be claimed.
ClaimAndStart = Callable[[WakeUp | None], Awaitable[bool]]


class Consumer:
    """Feeds a worker's free slots from the imports queue."""

    def __init__(self, amqp_url: str, slots: Slots, claim_and_start: ClaimAndStart) -> None:
        self._amqp_url = amqp_url
        self._slots = slots
        self._claim_and_start = claim_and_start
        self._channel: AbstractChannel | None = None

    @property
    def connected(self) -> bool:
        """Whether a channel is open; it has a consumer unless every slot is taken."""
        return self._channel is not None and not self._channel.is_closed

    async def run(self) -> None:
        """Consume until cancelled; a lost connection is replaced, without a limit on the number of tries."""
        failures = 0
        while True:
            try:
                await self._consume()
            except BrokerUnavailableError as error:
                failures = failures + 1 if self._channel is None else 1
                _log.warning("broker.disconnected", error=str(error), next_try=RECONNECT.delay(failures))
                self._channel = None
            await asyncio.sleep(RECONNECT.delay(failures))

    async def _consume(self) -> None:
        """Consume on one connection, replacing quiet channels; raises if the connection breaks."""
        async with bounded():
            connection = await aio_pika.connect(
                self._amqp_url, heartbeat=HEARTBEAT, client_properties={"connection_name": "longshore-worker"}
            )
        try:
            _log.info("broker.consuming", queue=IMPORTS_QUEUE)
            while True:
                await self._consume_on_a_channel(connection)
        finally:
            with suppress(BrokerUnavailableError):
                async with bounded():
                    await connection.close()

    async def _consume_on_a_channel(self, connection: AbstractConnection) -> None:
        async with bounded():
            channel = await connection.channel(publisher_confirms=False)
            # One unacknowledged delivery at a time: none waits behind the one whose import is being claimed.
            await channel.set_qos(prefetch_count=1)
            queue = (await declare(channel)).imports
        subscription = _Subscription(channel, queue, self._slots, self._claim_and_start)
        self._channel = channel
        await subscription.serve_until_quiet()
        async with bounded():
            await channel.close()


class _Subscription:
    """The consumer of one channel, registered only while a slot is free."""

    def __init__(
        self, channel: AbstractChannel, queue: AbstractQueue, slots: Slots, claim_and_start: ClaimAndStart
    ) -> None:
        self._channel = channel
        self._queue = queue
        self._slots = slots
        self._claim_and_start = claim_and_start
        self._tag: str | None = None
        # None means that the channel has closed.
        self._inbox: asyncio.Queue[AbstractIncomingMessage | None] = asyncio.Queue()
        channel.close_callbacks.add(lambda *_: self._inbox.put_nowait(None))

    async def serve_until_quiet(self) -> None:
        """Handle deliveries until none has arrived for QUIET_SECONDS; raises if the channel closes."""
        quiet_since = time.monotonic()
        while time.monotonic() < quiet_since + QUIET_SECONDS:
            if self._slots.full:
                await self._slots.wait_free(reserved_for=RESERVED_LOOK_SECONDS)
                quiet_since = time.monotonic()
                await self._look()
                continue
            if self._tag is None:
                async with bounded():
                    self._tag = await self._queue.consume(self._inbox.put)
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    message = await self._inbox.get()
            except TimeoutError:
                await self._look()
                continue
            if message is None:
                raise BrokerUnavailableError("the channel was closed")
            await self._handle(message)
            quiet_since = time.monotonic()

    async def _look(self) -> None:
        """Claim due imports without a message, as many as there are free slots."""
        try:
            while self._slots.has_room and await self._claim_and_start(None):
                pass
        except LongshoreError as error:
            _log.warning("import.claim_failed", error=str(error))
        await self._pause_if_full()
        while self._slots.full and not self._inbox.empty():
            message = self._inbox.get_nowait()
            if message is None:
                raise BrokerUnavailableError("the channel was closed")
            # It arrived during the look, and goes back for a worker that has a free slot. RabbitMQ counts it as a
            # delivery; the next one claims, so that it never comes near the limit.
            async with bounded():
                await message.reject(requeue=True)

    async def _pause_if_full(self) -> None:
        if self._slots.full and self._tag is not None:
            async with bounded():
                await self._queue.cancel(self._tag)
            self._tag = None

    async def _handle(self, message: AbstractIncomingMessage) -> None:
        wake_up = _read(message)
        if wake_up is None:
            # To the dead-letter queue, for an operator to inspect: another try would read the same bytes.
            async with bounded():
                await message.reject(requeue=False)
            return
        await self._claim_with_retry(wake_up)
        # Before the acknowledgement, because until then the broker sends no other delivery.
        await self._pause_if_full()
        async with bounded():
            await message.ack()

    async def _claim_with_retry(self, wake_up: WakeUp) -> None:
        """Claim the import, and try again while the database is away and the channel is open."""
        while True:
            try:
                claimed = await self._claim_and_start(wake_up)
            except LongshoreError as error:
                _log.warning("import.claim_failed", import_name=wake_up.import_name, error=str(error))
            else:
                _log.debug("import.claimed" if claimed else "import.not_claimable", import_name=wake_up.import_name)
                return
            await asyncio.sleep(CLAIM_RETRY_DELAY)
            if self._channel.is_closed:
                raise BrokerUnavailableError("the channel was closed while the database was away")


def _read(message: AbstractIncomingMessage) -> WakeUp | None:
    try:
        wake_up: WakeUp = WakeUpSchema().load(orjson.loads(message.body))
    except (orjson.JSONDecodeError, ValidationError) as error:
        _log.error("message.unreadable", message_id=message.message_id, error=str(error)[:200])
        return None
    traceparent = (message.headers or {}).get(TRACEPARENT)
    return replace(wake_up, traceparent=traceparent) if isinstance(traceparent, str) else wake_up
