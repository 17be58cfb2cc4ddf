"""Keeps the service's background loops running."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from shared.runtime.concurrency import cancel_all

# After a failure that the loop itself did not expect. Seconds.
RESTART_DELAY = 5.0
# Between two tries to end a loop, which has nothing to do on its way out. Seconds.
CANCEL_INTERVAL = 0.5

_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def running(name: str, loop: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run an endless loop beside the block; it starts again when it fails, and is cancelled with the block."""
    task = asyncio.create_task(_forever(name, loop), name=name)
    try:
        yield
    finally:
        await cancel_all([task], interval=CANCEL_INTERVAL)


async def _forever(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
        except Exception:
            _logger.exception("background.failed", loop=name)
        await asyncio.sleep(RESTART_DELAY)
