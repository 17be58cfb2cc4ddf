"""Bare endpoints in a separate process: aiohttp, uvloop, asyncpg and aio-pika, without the product's code.

One runs a trivial query and answers with the requested number of bytes. The other reads a body, commits one row, waits
until RabbitMQ confirms one persistent message on a quorum queue, and answers. The pool has the product's size and
time limits.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import aio_pika
import asyncpg
import uvloop
from aio_pika.abc import AbstractExchange
from aiohttp import web

from api_service.parts import POOL_SIZE
from shared.db.database import ACQUIRE_TIMEOUT, CONNECT_TIMEOUT, STATEMENT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POOL: web.AppKey[asyncpg.Pool[asyncpg.Record]] = web.AppKey("POOL", asyncpg.Pool)
EXCHANGE: web.AppKey[AbstractExchange] = web.AppKey("EXCHANGE", AbstractExchange)

QUEUE = "bare.imports"
TABLE = "CREATE TABLE bare_imports (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source text)"
INSERT = "INSERT INTO bare_imports (source) VALUES ($1)"
# The size of the product's message.
MESSAGE = b"x" * 330


async def pool_part(app: web.Application) -> AsyncIterator[None]:
    """PostgreSQL."""
    async with asyncpg.create_pool(
        sys.argv[1], min_size=0, max_size=POOL_SIZE, timeout=CONNECT_TIMEOUT, command_timeout=STATEMENT_TIMEOUT
    ) as pool:
        await pool.execute(TABLE)
        app[POOL] = pool
        yield


async def broker_part(app: web.Application) -> AsyncIterator[None]:
    """RabbitMQ."""
    async with await aio_pika.connect(sys.argv[2]) as connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        app[EXCHANGE] = channel.default_exchange
        yield


async def query(request: web.Request) -> web.Response:
    """Run one query and answer with the number of bytes in the path."""
    async with request.app[POOL].acquire(timeout=ACQUIRE_TIMEOUT) as connection:
        await connection.fetchval("SELECT 1")
    return web.Response(body=b" " * int(request.match_info["size"]), content_type="application/json")


async def commit_and_publish(request: web.Request) -> web.Response:
    """Store the body, commit, and publish a message."""
    text = await request.text()
    async with request.app[POOL].acquire(timeout=ACQUIRE_TIMEOUT) as connection:
        await connection.execute(INSERT, text)
    message = aio_pika.Message(MESSAGE, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await request.app[EXCHANGE].publish(message, QUEUE, mandatory=True)
    return web.Response(body=b"{}", content_type="application/json")


def main() -> None:
    """Serve on a loopback port; the arguments are the database's URL, RabbitMQ's, and the port."""
    app = web.Application()
    app.cleanup_ctx.extend((pool_part, broker_part))
    app.router.add_get("/{size}", query)
    app.router.add_post("/imports", commit_and_publish)
    loop, port = uvloop.new_event_loop(), int(sys.argv[3])
    web.run_app(app, host="127.0.0.1", port=port, loop=loop, access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main()
