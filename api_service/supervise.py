"""Keeps the service's background loops running."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

# After a failure that the loop itself did not expect. Seconds.
RESTART_DELAY = 5.0

_logger = structlog.get_logger(__name__)


@asynccontextmanager
async def running(name: str, loop: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run an endless loop beside the block; it starts again when it fails, and is cancelled with the block."""
    task = asyncio.create_task(_forever(name, loop), name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _forever(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
        except Exception:
            _logger.exception("background.failed", loop=name)
        await asyncio.sleep(RESTART_DELAY)
