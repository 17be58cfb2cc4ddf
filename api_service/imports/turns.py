"""One import of a user with a limit at a time: requests that wait for their turn hold no database connection.

The lock in the database makes the limit exact, for all instances. Without turns, one user's burst would wait for that
lock in all connections of this process.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.owner import Owner

# The API answers within five seconds; a turn takes some milliseconds. Seconds.
LONGEST_WAIT = 4.0
# The Retry-After of a request that got no turn. Seconds.
RETRY_AFTER = 2.0


class Turns:
    """The users whose requests are being accepted by this process."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[Owner, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, user: Owner) -> AsyncIterator[None]:
        """Run the block when no other one of this user runs; raises `database_unavailable` after a long wait."""
        lock = self._locks.get(user)
        if lock is None:
            self._locks[user] = lock = asyncio.Lock()
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await lock.acquire()
        except TimeoutError:
            raise LongshoreError(
                Code.DATABASE_UNAVAILABLE,
                "Too many requests of this user wait to be accepted.",
                retry_after=RETRY_AFTER,
            ) from None
        try:
            yield
        finally:
            lock.release()
