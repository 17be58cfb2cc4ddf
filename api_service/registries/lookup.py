"""Looks up stored registries: a result is cached for a second, and concurrent requests share one query."""

from collections.abc import Sequence

from shared.db.access import registries
from shared.db.access.registries import StoredRegistry
from shared.db.cached_rows import CachedRows
from shared.db.database import Connection, Database

# After another API instance changed a registry, the old values are used at most this long. Seconds. Without the cache
# every import would cost another query.
KEPT_FOR = 1.0


class RegistryLookup:
    """Caches all stored registries, which are few (stored_registries.MAX_REGISTRIES)."""

    def __init__(self, database: Database) -> None:
        self._registries = CachedRows(database, _read, kept_for=KEPT_FOR)

    async def find_all(self) -> Sequence[StoredRegistry]:
        """Return them, by name."""
        return await self._registries.all()

    def forget(self) -> None:
        """Drop the cache; call it after a change is committed."""
        self._registries.forget()


async def _read(connection: Connection) -> Sequence[StoredRegistry]:
    return await registries.list_registries(connection)
