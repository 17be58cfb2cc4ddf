"""Repeats a request to the API while the API is away: the lease decides how long the attempt still matters."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

import structlog

from shared.errors.codes import Code
from shared.errors.error import LongshoreError

# Before a request that was not answered is sent again. Seconds.
RETRY_INTERVAL = 1.0
# How long a request is sent again while the API does not answer. After that the lease has long run out and the reaper
# has decided without it. Seconds.
DEADLINE = 300.0

T = TypeVar("T")

_log = structlog.stdlib.get_logger(__name__)


async def until_accepted(send: Callable[[], Awaitable[T]], *, event: str) -> T:
    """Return the answer, and log each failure of the API under this event; raises any other error at once."""
    deadline = monotonic() + DEADLINE
    while True:
        try:
            return await send()
        except LongshoreError as error:
            if error.code is not Code.API_UNAVAILABLE or monotonic() > deadline:
                raise
            _log.warning(event, error=str(error))
        await asyncio.sleep(RETRY_INTERVAL)
