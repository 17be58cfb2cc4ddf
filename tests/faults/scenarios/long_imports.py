"""An import that takes much longer than RabbitMQ's limit for deliveries, with a worker that loses its connections."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aio_pika
from aio_pika.exceptions import AMQPError

from shared.model.states import ImportState
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import count_totals
from tests.faults.bench.verdict import Verdict
from tests.faults.broker import VirtualHost
from tests.faults.fault import Direction, Pace
from tests.faults.uploads import uploads_to

PROMISE = "Long imports outlast the broker's limits: no transfer is repeated."

# RabbitMQ's limit for the acknowledgement of a delivery, and the interval of its check. Milliseconds; the defaults are
# half an hour and a minute.
CONSUMER_TIMEOUT, TICK = 2_000, 500
DEFAULTS = 1_800_000, 60_000
# The rate of the source. Bytes per second.
PACE = 400_000
# Headers, manifests and the configuration. Bytes.
REST = 100_000
# The pause between two closed connections, for the worker to reconnect. Seconds.
PAUSE = 1.0
TIMEOUT = 120.0
WORKER = "longshore-worker"


def play(testbed: Testbed) -> Verdict:
    """Import a slow layer, and close the worker's connection repeatedly."""
    seconds, closes = testbed.size.of(full=(90, 10), short=(6, 2))
    link = testbed.link("source", testbed.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    host, layer = VirtualHost(testbed), seconds * PACE
    with _short_timeouts(testbed):
        testbed.start()
        before = link.counts().to_client
        with _holding_a_delivery(testbed) as control:
            accepted = [testbed.accept(pushed) for pushed in testbed.push(1, layers=[layer], host=link.host)]
            testbed.wait_final(TIMEOUT, states=[ImportState.RUNNING])
            closed = 0
            while closed < closes and testbed.outcomes()[0].state is ImportState.RUNNING:
                closed += host.close_connections(WORKER)
                time.sleep(PAUSE)
            outcomes = testbed.wait_final(TIMEOUT + seconds)
    totals = count_totals(testbed, accepted, outcomes)
    assert testbed.target.process
    seen = uploads_to(testbed.target.process.log, outcomes[0].repository)
    read_again = link.counts().to_client - before - layer
    again = outcomes[0].attempt - 1 + sum(count - 1 for count in seen.stored.values())
    return Verdict(
        held=totals.all_ready and again == 0 and read_again <= REST and closed >= closes and control.taken_after > 0,
        figures={
            **totals.figures(),
            "transfer_restarts": again,
            "bytes_read_again": max(0, read_again - REST),
            "import_seconds": outcomes[0].seconds,
            "consumer_timeout_seconds": CONSUMER_TIMEOUT / 1000,
            "held_delivery_taken_after_seconds": round(control.taken_after, 1),
            "connections_closed": closed,
        },
    )


@contextmanager
def _short_timeouts(testbed: Testbed) -> Iterator[None]:
    """Limit deliveries to seconds instead of half an hour, for channels that are opened later."""
    _set_timeouts(testbed, CONSUMER_TIMEOUT, TICK)
    try:
        yield
    finally:
        _set_timeouts(testbed, *DEFAULTS)


def _set_timeouts(testbed: Testbed, consumer: int, tick: int) -> None:
    set_both = f"application:set_env(rabbit, consumer_timeout, {consumer}), "
    testbed.rabbitmq.control("eval", f"{set_both}application:set_env(rabbit, channel_tick_interval, {tick}).")


class Control:
    """A simple consumer that holds a delivery during its work."""

    def __init__(self, url: str) -> None:
        self.taken_after = 0.0
        """Seconds until RabbitMQ took the delivery away; 0: it has not."""
        self._url = url

    async def hold(self) -> None:
        """Consume a delivery and wait until RabbitMQ closes the channel."""
        connection = await aio_pika.connect(self._url)
        async with connection:
            channel = await connection.channel()
            queue = await channel.declare_queue("control", durable=True, arguments={"x-queue-type": "quorum"})
            closed, held = asyncio.Event(), asyncio.Event()
            channel.close_callbacks.add(lambda *_: closed.set())
            await channel.default_exchange.publish(aio_pika.Message(b"work"), "control")
            await queue.consume(lambda _: _set(held))
            await held.wait()
            began = time.monotonic()
            await closed.wait()
            self.taken_after = time.monotonic() - began


async def _set(event: asyncio.Event) -> None:
    event.set()


@contextmanager
def _holding_a_delivery(testbed: Testbed) -> Iterator[Control]:
    """Run a simple consumer, which shows that the limit is active."""
    control = Control(testbed.amqp_url)

    async def hold() -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                await control.hold()
        except (AMQPError, TimeoutError):
            return  # The verdict shows that no delivery was taken away.

    thread = threading.Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    try:
        yield control
    finally:
        thread.join()
