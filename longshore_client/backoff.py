"""Retries of calls while the API is away, as during a restart."""

import asyncio
import random
from collections.abc import Callable
from typing import TypeAlias

from longshore_client.errors import ClientError

# Rolling restarts and fail-overs of a database take less. Seconds.
DEFAULT_RETRY_SECONDS = 300.0
# The first pause, and the longest. Seconds.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
# Each pause is this many times as long as the one before.
GROWTH = 1.7
# A pause is multiplied by a random factor, so that many clients that lost one API do not return at one moment.
JITTER = (0.8, 1.2)

OnRetry: TypeAlias = Callable[[ClientError], None]
"""Called with the error before each retry."""


class Backoff:
    """Growing pauses between tries. Gives up when calls have failed for `deadline` seconds in a row."""

    def __init__(self, deadline: float = DEFAULT_RETRY_SECONDS, on_retry: OnRetry | None = None) -> None:
        self._deadline = deadline
        self._on_retry = on_retry
        self._failing_since: float | None = None
        self._pause = FIRST_PAUSE

    def reset(self) -> None:
        """Start over after a call that succeeded."""
        self._failing_since, self._pause = None, FIRST_PAUSE

    async def wait_or_raise(self, error: ClientError) -> None:
        """Sleep before the next try; raises the error if it is not transient, or if the deadline has passed."""
        now = asyncio.get_running_loop().time()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if not error.transient or now - self._failing_since >= self._deadline:
            raise error
        if self._on_retry:
            self._on_retry(error)
        await asyncio.sleep(self._pause * random.uniform(*JITTER))  # noqa: S311 - nothing secret
        self._pause = min(self._pause * GROWTH, LONGEST_PAUSE)
