"""A bare endpoint, in a process of its own: aiohttp, uvloop, one trivial query, a body of the size that is asked for.

Its pool has the settings of the product's, by hand, so that nothing of the product runs here.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import asyncpg
import uvloop
from aiohttp import web

from api_service.app import POOL_SIZE
from shared.db.database import ACQUIRE_TIMEOUT, CONNECT_TIMEOUT, STATEMENT_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

POOL: web.AppKey[asyncpg.Pool[asyncpg.Record]] = web.AppKey("POOL", asyncpg.Pool)


async def pool_part(app: web.Application) -> AsyncIterator[None]:
    """Keep the pool; as the product's, it spends no round trip on resetting connections."""
    async with asyncpg.create_pool(
        sys.argv[1],
        min_size=0,
        max_size=POOL_SIZE,
        timeout=CONNECT_TIMEOUT,
        command_timeout=STATEMENT_TIMEOUT,
        reset=keep,
    ) as pool:
        app[POOL] = pool
        yield


async def keep(_connection: object) -> None:
    """Reset nothing."""


async def answer(request: web.Request) -> web.Response:
    """Make one query and answer as many bytes as the path says."""
    async with request.app[POOL].acquire(timeout=ACQUIRE_TIMEOUT) as connection:
        await connection.fetchval("SELECT 1")
    return web.Response(body=b" " * int(request.match_info["size"]), content_type="application/json")


def main() -> None:
    """Serve on the loopback port given after the database's URL."""
    app = web.Application()
    app.cleanup_ctx.append(pool_part)
    app.router.add_get("/{size}", answer)
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        loop=uvloop.new_event_loop(),
        access_log=None,
        print=lambda *_: None,
    )


if __name__ == "__main__":
    main()
