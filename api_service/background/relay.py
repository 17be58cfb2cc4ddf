"""The relay: publishes due outbox rows to RabbitMQ. Every API instance runs one; the relays share the rows."""

import asyncio
import time

from api_service.background.broker import Broker, QueueDepth, open_broker
from shared.db import outbox
from shared.db.database import Database
from shared.db.notifications import Notifications
from shared.db.outbox import OutboxRow
from shared.errors.error import LongshoreError
from shared.messages.broker import BrokerUnavailableError
from shared.messages.wake_up import WakeUp
from shared.runtime.backoff import Backoff
from shared.runtime.condition import Condition

# Rows of one transaction, which holds their locks until RabbitMQ has confirmed them, together in a few milliseconds.
BATCH = 100
# How often the relay polls without a hint. Seconds.
POLL_INTERVAL = 1.0
# Due rows that are locked belong to another instance's relay: skip them and poll again after this time. Seconds.
MIN_WAIT = 0.05
# A hint this soon after the last batch is one of many: wait this long, so that the next ones share a batch and its
# commit. A single hint does not wait. Seconds.
LINGER = 0.02
# How often the relay checks an idle connection, so that /readyz reports an unresponsive RabbitMQ. Seconds.
CHECK_INTERVAL = 10.0
# Between two tries to connect.
RECONNECT = Backoff(first=0.5, maximum=5.0)


class Relay:
    """Publishes with confirms and marks a row after its confirm: a crash may repeat a message, but never loses one."""

    def __init__(self, amqp_url: str, database: Database, notifications: Notifications) -> None:
        self._url = amqp_url
        self._database = database
        self._notifications = notifications
        self._broker_condition = Condition("rabbitmq")
        self._database_condition = Condition("outbox")
        self._checked_at = 0.0
        self._queue: QueueDepth | None = None

    @property
    def trouble(self) -> str | None:
        """Why messages do not reach RabbitMQ; None while they do."""
        return self._broker_condition.trouble

    @property
    def queue(self) -> QueueDepth | None:
        """The queue's depth at the last check; None while RabbitMQ is unavailable."""
        return self._queue

    async def run(self) -> None:
        """Publish until cancelled; after a failure, on a new connection."""
        failures = 0
        while True:
            try:
                async with open_broker(self._url) as broker:
                    self._broker_condition.up()
                    failures = 0
                    await self._relay(broker)
            except BrokerUnavailableError as error:
                self._broker_condition.down(error)
                self._queue, self._checked_at = None, 0.0
                failures += 1
            await asyncio.sleep(RECONNECT.delay(failures))

    async def _relay(self, broker: Broker) -> None:
        with self._notifications.watch(outbox.CHANNEL) as hint:
            while True:
                hint.clear()
                wait = await self._publish_due(broker)
                await self._check_at_intervals(broker)
                if wait:
                    await _wait(hint, wait)

    async def _publish_due(self, broker: Broker) -> float:
        """Publish due rows and return the seconds to wait for more."""
        try:
            wait = await publish_due(self._database, broker)
        except LongshoreError as error:
            self._database_condition.down(error)
            return POLL_INTERVAL
        self._database_condition.up()
        return wait

    async def _check_at_intervals(self, broker: Broker) -> None:
        broker.check_open()
        now = asyncio.get_running_loop().time()
        if now - self._checked_at >= CHECK_INTERVAL:
            self._queue = await broker.check()
            self._checked_at = now


async def publish_due(database: Database, broker: Broker) -> float:
    """Publish one batch and return the seconds until the next row may be due, 0 after a full batch.

    Raises BrokerUnavailableError after it has marked the confirmed rows.
    """
    async with database.transaction() as connection:
        rows = await outbox.lock_due(connection, BATCH)
        failures = await broker.publish([_message(row) for row in rows])
        confirmed = [row.id for row, failure in zip(rows, failures, strict=True) if failure is None]
        await outbox.mark_published(connection, confirmed)
        seconds = await outbox.seconds_to_next(connection)
    for failure in filter(None, failures):
        raise failure
    if len(rows) == BATCH:
        return 0
    return POLL_INTERVAL if seconds is None else min(POLL_INTERVAL, max(MIN_WAIT, seconds))


def _message(row: OutboxRow) -> WakeUp:
    return WakeUp(
        import_name=row.import_name,
        reason=row.reason,
        attempt=row.attempt,
        source=row.source,
        target=row.target,
        requested_by=row.requested_by,
        traceparent=row.traceparent,
    )


async def _wait(hint: asyncio.Event, seconds: float) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            await hint.wait()
    except TimeoutError:
        return
    if time.monotonic() - started < LINGER:
        await asyncio.sleep(LINGER)
