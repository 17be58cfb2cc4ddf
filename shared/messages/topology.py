"""The exchanges and queues in RabbitMQ, declared by every service that uses them.

The arguments mean the same from RabbitMQ 3.10 to 4.3. Everything tunable is left to policies, because RabbitMQ refuses
(406) to declare a queue again with other arguments. deploy/rabbitmq/definitions.json declares the same.
"""

from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue

EXCHANGE = "longshore"
IMPORTS_QUEUE = "longshore.imports"
DEAD_LETTER_QUEUE = "longshore.imports.dead"

# Deliveries of one message before RabbitMQ dead-letters it. A worker acknowledges within seconds, so that only crashes
# in that time count. Explicit, because the default differs between RabbitMQ 3 (none) and 4 (20), and -1, which means
# "no limit" in 4, destroys messages in 3.
DELIVERY_LIMIT = 20

IMPORTS_QUEUE_ARGUMENTS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": EXCHANGE,
    "x-dead-letter-routing-key": DEAD_LETTER_QUEUE,
    "x-dead-letter-strategy": "at-least-once",
    # With any other overflow behaviour, at-least-once dead-lettering silently falls back to at-most-once.
    "x-overflow": "reject-publish",
}
DEAD_LETTER_QUEUE_ARGUMENTS: dict[str, str | int] = {"x-queue-type": "quorum"}

# Seconds. A dead peer is detected after about three heartbeats; RabbitMQ's default of 60 would mean three minutes.
HEARTBEAT = 15
# The limit of one exchange with the broker, after which the connection counts as dead. Seconds.
BROKER_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """The declared exchange and queue, bound to the channel that declared them."""

    exchange: AbstractExchange
    imports: AbstractQueue


async def declare(channel: AbstractChannel) -> Topology:
    """Declare the exchange and the queues; no effect where they exist with the same arguments."""
    exchange = await channel.declare_exchange(
        EXCHANGE, aio_pika.ExchangeType.DIRECT, durable=True, timeout=BROKER_TIMEOUT
    )
    dead = await channel.declare_queue(
        DEAD_LETTER_QUEUE, durable=True, arguments=dict(DEAD_LETTER_QUEUE_ARGUMENTS), timeout=BROKER_TIMEOUT
    )
    await dead.bind(exchange, DEAD_LETTER_QUEUE, timeout=BROKER_TIMEOUT)
    imports = await channel.declare_queue(
        IMPORTS_QUEUE, durable=True, arguments=dict(IMPORTS_QUEUE_ARGUMENTS), timeout=BROKER_TIMEOUT
    )
    await imports.bind(exchange, IMPORTS_QUEUE, timeout=BROKER_TIMEOUT)
    return Topology(exchange=exchange, imports=imports)
