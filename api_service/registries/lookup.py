"""Looks up stored registries: a result is cached for a second, and concurrent requests share one query."""

from collections.abc import Sequence
from time import monotonic

from shared.db.access import registries
from shared.db.access.registries import StoredRegistry
from shared.db.coalescer import Coalescer
from shared.db.database import Database

# After another API instance changed a registry, the old values are used at most this long. Seconds. Without the cache
# every import would cost another query.
KEPT_FOR = 1.0


class RegistryLookup:
    """Caches all stored registries, which are few (stored_registries.MAX_REGISTRIES)."""

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
        """Drop the cache; call it after a change is committed."""
        self._until = 0.0
        self._changes += 1

    async def _look(self, _: frozenset[None]) -> Sequence[StoredRegistry]:
        # The time before the query, which does not see later changes.
        now, changes = monotonic(), self._changes
        async with self._database.connection() as connection:
            found = await registries.list_registries(connection)
        if changes == self._changes:
            self._kept, self._until = found, now + KEPT_FOR
        return found
