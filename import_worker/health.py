"""The worker's own health endpoint, for whoever restarts it, and its figures for Prometheus."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import hdrs, web

from import_worker import metrics
from import_worker.consumer import Consumer
from import_worker.slots import Slots
from shared.db.database import Database
from shared.errors import LongshoreError


@asynccontextmanager
async def serve_health(port: int, database: Database, consumer: Consumer, slots: Slots) -> AsyncIterator[None]:
    """Serve `/healthz`, `/readyz` and `/metrics` on this port while the block runs."""

    async def parts() -> Mapping[str, bool]:
        return {"rabbitmq": consumer.connected, "database": await _answers(database)}

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        found = await parts()
        good = all(found.values())
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        told = {name: {"ready": up} for name, up in found.items()}
        return web.json_response({"status": "ready" if good else "unready", "parts": told}, status=status)

    async def figures(_: web.Request) -> web.Response:
        text = metrics.render(slots, await parts())
        return web.Response(body=text, headers={hdrs.CONTENT_TYPE: metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", alive), web.get("/readyz", ready), web.get("/metrics", figures)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        # All interfaces: the orchestrator asks from outside. It tells these three answers and no names.
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
