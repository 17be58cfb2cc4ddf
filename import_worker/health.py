"""The worker's health endpoint for its orchestrator, and its metrics for Prometheus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import hdrs, web

from import_worker import metrics
from import_worker.slots import Slots
from shared.runtime.readiness import Readiness


@asynccontextmanager
async def serve_health(port: int, readiness: Readiness, slots: Slots) -> AsyncIterator[None]:
    """Serve `/healthz`, `/readyz` and `/metrics` on this port while the block runs."""

    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        good, body = await readiness.report()
        return web.json_response(body, status=HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)

    async def figures(_: web.Request) -> web.Response:
        body = (await readiness.report())[1]
        parts = {name: bool(part["ready"]) for name, part in body["parts"].items()}
        return web.Response(body=metrics.render(slots, parts), headers={hdrs.CONTENT_TYPE: metrics.CONTENT_TYPE})

    app = web.Application()
    app.add_routes([web.get("/healthz", alive), web.get("/readyz", ready), web.get("/metrics", figures)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        # All interfaces: the orchestrator calls from outside. The three answers contain no names.
        await web.TCPSite(runner, "0.0.0.0", port).start()
        yield
    finally:
        await runner.cleanup()
