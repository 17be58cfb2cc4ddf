"""An import that takes much longer than RabbitMQ lets a delivery be, whose worker loses its connection all the time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import aio_pika
from aio_pika.exceptions import AMQPError

from shared.model.states import ImportState
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.broker import VirtualHost
from tests.faults.fault import Direction, Pace
from tests.faults.uploads import uploads_to

PROMISE = "Long imports outlive the broker's rules: no transfer begins anew."

# What a consumer may take to acknowledge a delivery, and how often RabbitMQ looks. Milliseconds; by default half an
# hour, and a minute.
CONSUMER_TIMEOUT, TICK = 2_000, 500
DEFAULTS = 1_800_000, 60_000
# What the source gives. Bytes a second.
PACE = 400_000
# Heads, manifests and the config, beside the layer. Bytes.
REST = 100_000
# Between two closed connections: the worker needs a moment to come back. Seconds.
PAUSE = 1.0
PATIENCE = 120.0
WORKER = "longshore-worker"


def play(ground: Ground) -> Verdict:
    """Import a layer that comes slowly, and close the worker's connection again and again."""
    seconds, closes = ground.size.of(full=(90, 10), short=(6, 2))
    link = ground.link("source", ground.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    host, layer = VirtualHost(ground), seconds * PACE
    with _impatient(ground):
        ground.start()
        before = link.counts().to_client
        with _holding_a_delivery(ground) as control:
            accepted = [ground.accept(wanted) for wanted in ground.push(1, layers=[layer], host=link.host)]
            ground.wait_final(PATIENCE, states=[ImportState.RUNNING])
            closed = 0
            while closed < closes and ground.outcomes()[0].state is ImportState.RUNNING:
                closed += host.close_connections(WORKER)
                time.sleep(PAUSE)
            outcomes = ground.wait_final(PATIENCE + seconds)
    fates = count_fates(ground, accepted, outcomes)
    assert ground.target.process
    seen = uploads_to(ground.target.process.log, outcomes[0].repository)
    read_again = link.counts().to_client - before - layer
    again = outcomes[0].attempt - 1 + sum(count - 1 for count in seen.stored.values())
    return Verdict(
        held=fates.all_ready and again == 0 and read_again <= REST and closed >= closes and control.taken_after > 0,
        figures={
            **fates.figures(),
            "transfer_restarts": again,
            "bytes_read_again": max(0, read_again - REST),
            "import_seconds": outcomes[0].seconds,
            "consumer_timeout_seconds": CONSUMER_TIMEOUT / 1000,
            "held_delivery_taken_after_seconds": round(control.taken_after, 1),
            "connections_closed": closed,
        },
    )


@contextmanager
def _impatient(ground: Ground) -> Iterator[None]:
    """Give deliveries seconds instead of half an hour; what is changed holds for channels that are opened then."""
    _set_timeouts(ground, CONSUMER_TIMEOUT, TICK)
    try:
        yield
    finally:
        _set_timeouts(ground, *DEFAULTS)


def _set_timeouts(ground: Ground, consumer: int, tick: int) -> None:
    set_both = f"application:set_env(rabbit, consumer_timeout, {consumer}), "
    ground.rabbitmq.control("eval", f"{set_both}application:set_env(rabbit, channel_tick_interval, {tick}).")


class Control:
    """A consumer as simple ones are, with a delivery that it holds for the length of its work."""

    def __init__(self, url: str) -> None:
        self.taken_after = 0.0
        """Seconds until RabbitMQ took the delivery from it; 0: it has not."""
        self._url = url

    async def hold(self) -> None:
        """Take a delivery and wait until the channel is closed for that."""
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
def _holding_a_delivery(ground: Ground) -> Iterator[Control]:
    """Have such a consumer beside ours, which shows that the rule is in force."""
    control = Control(ground.amqp_url)

    async def hold() -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await control.hold()
        except (AMQPError, TimeoutError):
            return  # The verdict says that nothing was taken.

    thread = threading.Thread(target=asyncio.run, args=(hold(),))
    thread.start()
    try:
        yield control
    finally:
        thread.join()
