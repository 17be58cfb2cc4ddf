"""The time between the wish that this process end and its end, in which others learn to leave it alone."""

import asyncio
import signal
from contextlib import suppress

import structlog

from shared.runtime.readiness import Readiness

_logger = structlog.get_logger(__name__)


class Draining:
    """Says no to new work while it is still done: whoever spreads requests learns of a stop only after it began."""

    def __init__(self) -> None:
        self._readiness: Readiness | None = None
        self.began = False
        """True once no connection is to be kept for another request."""

    def tell(self, readiness: Readiness) -> None:
        """Take what is asked whether this process is ready."""
        self._readiness = readiness

    def begin(self) -> None:
        """Be unready, and let every answer end its connection, so that the next request goes elsewhere."""
        self.began = True
        if self._readiness:
            self._readiness.stop()


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
