"""Serves the application on its port, and ends so that no request fails of it."""

import asyncio
import signal
from contextlib import suppress

import structlog
from aiohttp import web

from api_service.web.draining import Draining
from api_service.web.keys import DRAINING

# What running requests get to end after the drain; all but event streams, which end at once, take less. Seconds.
SHUTDOWN_TIMEOUT = 10.0
# An idle connection is kept for a proxy in front to use again. Seconds.
KEEPALIVE_TIMEOUT = 75.0

_logger = structlog.get_logger(__name__)


class StopSignals:
    """SIGTERM asks to stop in an orderly way; SIGINT, or a second SIGTERM, at once."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._at_once = asyncio.Event()

    def listen(self) -> None:
        """Take the signals from now on."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        loop.add_signal_handler(signal.SIGINT, self._stop_at_once)

    async def wait(self, draining: Draining, seconds: float) -> None:
        """Return when the time has come to stop listening: `seconds` after the wish."""
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
