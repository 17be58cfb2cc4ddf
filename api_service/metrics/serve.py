"""Serves /metrics on a port of its own: figures about everybody's imports are nothing for the API's own clients."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import hdrs, web

from api_service.metrics.figures import CONTENT_TYPE, Figures


@asynccontextmanager
async def serve_metrics(host: str, port: int, figures: Figures) -> AsyncIterator[None]:
    """Serve on this address while the block runs, without authentication."""

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await figures.text(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
