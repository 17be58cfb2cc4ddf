"""The worker's own health endpoint, for whoever restarts it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web

from import_worker.consumer import Consumer
from shared.db.database import Database
from shared.errors import LongshoreError


@asynccontextmanager
async def serve_health(port: int, database: Database, consumer: Consumer) -> AsyncIterator[None]:
    """Serve `/healthz` and `/readyz` on this port while the block runs."""

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        parts = {"rabbitmq": {"ready": consumer.connected}, "database": {"ready": await _answers(database)}}
        good = all(part["ready"] for part in parts.values())
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response({"status": "ready" if good else "unready", "parts": parts}, status=status)

    app = web.Application()
    app.add_routes([web.get("/healthz", alive), web.get("/readyz", ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        # All interfaces: the orchestrator asks from outside. It tells nothing but these two answers.
        await web.TCPSite(runner, "0.0.0.0", port).start()
        yield
    finally:
        await runner.cleanup()


async def _answers(database: Database) -> bool:
    try:
        await database.check()
    except LongshoreError:
        return False
    return True
