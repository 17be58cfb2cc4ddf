"""Serves the application on its port, and stops without failing a request."""

import asyncio
import signal
from contextlib import suppress

import structlog
from aiohttp import web

from api_service.web.draining import Draining
from api_service.web.keys import DRAINING

# Running requests have this long to end after the drain; they take less, and event streams end at once. Seconds.
SHUTDOWN_TIMEOUT = 10.0
# An idle connection is kept for reuse by a proxy. Seconds.
KEEPALIVE_TIMEOUT = 75.0

_logger = structlog.get_logger(__name__)


class StopSignals:
    """SIGTERM stops after a drain; SIGINT or a second SIGTERM stops at once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._at_once = asyncio.Event()

    def listen(self) -> None:
        """Install the signal handlers."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop_at_once)

    async def wait(self, draining: Draining, seconds: float) -> None:
        """Return when the server should stop listening: `seconds` after SIGTERM."""
        await self._asked.wait()
        draining.begin()
        _logger.info("stopping", drain=seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._at_once.wait()

    def _stop(self) -> None:
        if self._asked.is_set():
            self._at_once.set()
        self._asked.set()

    def _stop_at_once(self) -> None:
        self._at_once.set()
        self._asked.set()


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
