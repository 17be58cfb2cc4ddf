"""Looks stored registries up for requests: an answer serves a second's requests, and those that wait share a query."""

from collections.abc import Sequence
from time import monotonic

from shared.db import registries
from shared.db.coalescer import Coalescer
from shared.db.database import Database
from shared.db.registries import StoredRegistry

# How long a registry may be used at most as it was before another instance of the API changed it. Seconds: without it,
# every import would cost a query more.
KEPT_FOR = 1.0


class RegistryLookup:
    """All stored registries, as they were within the last second. They are few (stored_registries.MAX_REGISTRIES)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._coalescer = Coalescer(self._look)
        self._kept: Sequence[StoredRegistry] = ()
        self._until = 0.0
        self._changes = 0

    async def find_all(self) -> Sequence[StoredRegistry]:
        """Return them, by name."""
        if monotonic() < self._until:
            return self._kept
        return await self._coalescer.ask(None)

    def forget(self) -> None:
        """Have the next request look anew; called when a change is committed."""
        self._until = 0.0
        self._changes += 1

    async def _look(self, _: frozenset[None]) -> Sequence[StoredRegistry]:
        # Before the query, which may see less than what has been done since.
        now, changes = monotonic(), self._changes
        async with self._database.connection() as connection:
            found = await registries.list_registries(connection)
        if changes == self._changes:
            self._kept, self._until = found, now + KEPT_FOR
        return found
