"""The exchanges and queues in RabbitMQ, declared by every service that uses them.

Only arguments that mean the same from RabbitMQ 3.10 to 4.3; everything tunable is left to policies, because a queue
that is declared again with other arguments is refused (406). deploy/rabbitmq/definitions.json says the same.
"""

from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue

EXCHANGE = "longshore"
IMPORTS_QUEUE = "longshore.imports"
DEAD_LETTER_QUEUE = "longshore.imports.dead"

# Deliveries of one message before RabbitMQ puts it aside. A worker acknowledges within seconds, so that only crashes
# in that moment count. Explicit, because the default differs between RabbitMQ 3 (none) and 4 (20), and -1, which means
# "no limit" in 4, destroys messages in 3.
DELIVERY_LIMIT = 20

IMPORTS_QUEUE_ARGUMENTS: dict[str, str | int] = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERY_LIMIT,
    "x-dead-letter-exchange": EXCHANGE,
    "x-dead-letter-routing-key": DEAD_LETTER_QUEUE,
    "x-dead-letter-strategy": "at-least-once",
    # At-least-once dead-lettering silently falls back to at-most-once with any other overflow behaviour.
    "x-overflow": "reject-publish",
}
DEAD_LETTER_QUEUE_ARGUMENTS: dict[str, str | int] = {"x-queue-type": "quorum"}

# Seconds. A dead peer is noticed after about three of them; RabbitMQ's default of 60 would mean three minutes.
HEARTBEAT = 15
# What one exchange with the broker may take before the connection counts as dead. Seconds.
BROKER_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """What `declare` made, bound to the channel that it was given."""

    exchange: AbstractExchange
    imports: AbstractQueue


async def declare(channel: AbstractChannel) -> Topology:
    """Declare everything; without effect where it exists with the same arguments."""
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
