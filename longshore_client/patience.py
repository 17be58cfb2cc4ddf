"""Bearing with an API that is away for a while, as during a restart."""

import asyncio
import random
from collections.abc import Callable
from typing import TypeAlias

from longshore_client.errors import ClientError

# Rolling restarts and fail-overs of a database are done by then. Seconds.
DEFAULT_SECONDS = 300.0
# The first pause, and what they grow to. Seconds.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
GROWTH = 1.7
# Many clients that lost one API do not come back at one moment.
SPREAD = (0.8, 1.2)

Trouble: TypeAlias = Callable[[ClientError], None]
"""Is told each time that something has to be borne."""


class Patience:
    """Counts how long nothing has worked; `seconds` of that in a row are too long."""

    def __init__(self, seconds: float = DEFAULT_SECONDS, trouble: Trouble | None = None) -> None:
        self._seconds = seconds
        self._trouble = trouble
        self._since: float | None = None
        self._pause = FIRST_PAUSE

    def relieve(self) -> None:
        """Begin anew: something has worked."""
        self._since, self._pause = None, FIRST_PAUSE

    async def bear(self, error: ClientError) -> None:
        """Wait before another try; raises the error where none makes sense, or it has taken too long."""
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if not error.passing or now - self._since >= self._seconds:
            raise error
        if self._trouble:
            self._trouble(error)
        await asyncio.sleep(self._pause * random.uniform(*SPREAD))  # noqa: S311 - nothing secret
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)
