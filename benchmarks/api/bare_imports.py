"""What a durable import costs at least, in a process of its own: a committed row and a confirmed message.

Reads a number of imports from each line of its input and answers the seconds that they took. There is no HTTP here, no
check and no second row: each import is one INSERT of its own and one persistent message to a quorum queue.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING

import aio_pika
import asyncpg
import uvloop

from api_service.app import POOL_SIZE

if TYPE_CHECKING:
    from aio_pika.abc import AbstractExchange

QUEUE = "bare.imports"
TABLE = "CREATE TABLE IF NOT EXISTS bare_imports (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text)"
INSERT = "INSERT INTO bare_imports (source) VALUES ($1)"
# As large as the product's message.
BODY = b"x" * 330


async def main(database: str, amqp: str, at_once: int) -> None:
    """Serve until the input ends."""
    connection = await aio_pika.connect(amqp)
    async with asyncpg.create_pool(database, max_size=POOL_SIZE, reset=keep) as pool, connection:
        await pool.execute(TABLE)
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        while line := await asyncio.to_thread(sys.stdin.readline):
            started = time.perf_counter()
            await run(pool, channel.default_exchange, int(line), at_once)
            print(time.perf_counter() - started, flush=True)


async def run(pool: asyncpg.Pool[asyncpg.Record], exchange: AbstractExchange, count: int, at_once: int) -> None:
    """Do `count` imports, `at_once` at a time."""
    numbers = iter(range(count))

    async def one_after_the_other() -> None:
        for number in numbers:
            await pool.execute(INSERT, f"registry.example.com/team/image:{number}")
            message = aio_pika.Message(BODY, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await exchange.publish(message, QUEUE, mandatory=True)

    await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))


async def keep(_connection: object) -> None:
    """Reset nothing, as the product's pool."""


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
