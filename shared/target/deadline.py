"""The time limit of a use case's requests to the target."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.errors.codes import Code
from shared.errors.error import LongshoreError


@asynccontextmanager
async def target_deadline(seconds: float, action: str) -> AsyncIterator[None]:
    """Give the block so many seconds; raises `target_stalled`: "The target did not <action> within … seconds."."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise LongshoreError(
            Code.TARGET_STALLED, f"The target did not {action} within {seconds:.0f} seconds."
        ) from None
