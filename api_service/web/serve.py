"""Serves the application on its port, and ends so that no request fails of it."""

from aiohttp import web

from api_service.web.draining import StopSignals
from api_service.web.keys import DRAINING

# What running requests get to end after the drain; all but event streams, which end at once, take less. Seconds.
SHUTDOWN_TIMEOUT = 10.0
# An idle connection is kept for a proxy in front to use again. Seconds.
KEEPALIVE_TIMEOUT = 75.0


async def serve_until_stopped(app: web.Application, *, host: str, port: int, drain: float) -> None:
    """Serve until SIGTERM or SIGINT, and `drain` seconds longer; raises OSError when the address is taken."""
    signals = StopSignals()
    signals.listen()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT, keepalive_timeout=KEEPALIVE_TIMEOUT)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await signals.wait(app[DRAINING], drain)
    finally:
        await runner.cleanup()
