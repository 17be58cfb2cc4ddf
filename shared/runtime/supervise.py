"""Keeps the services' background loops running."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from shared.runtime.concurrency import cancel_all

# The wait after an exception that the loop did not handle. Seconds.
RESTART_DELAY = 5.0
# Between two cancellations of a loop, which has nothing to clean up. Seconds.
CANCEL_INTERVAL = 0.5

_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def running(name: str, loop: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run an endless loop during the block; restart it when it fails, cancel it when the block ends."""
    task = asyncio.create_task(_restart_on_failure(name, loop), name=name)
    try:
        yield
    finally:
        await cancel_all([task], interval=CANCEL_INTERVAL)


async def _restart_on_failure(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
        except Exception:
            _logger.exception("background.failed", loop=name)
        await asyncio.sleep(RESTART_DELAY)
