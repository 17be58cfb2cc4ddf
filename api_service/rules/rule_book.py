"""Looks up the import rules: a result is cached for a moment, and concurrent requests share one query."""

from collections.abc import Sequence

from shared.db.access import import_rules
from shared.db.cached_rows import CachedRows
from shared.db.database import Connection, Database
from shared.model.import_rule import ImportRule

# After another API instance changed a rule, the old one allows imports at most this long. Each import is checked again
# when a worker claims it. Seconds. Without the cache every import would cost another query.
KEPT_FOR = 1.0


class RuleBook:
    """Caches all import rules, which are few (stored_rules.MAX_RULES)."""

    def __init__(self, database: Database) -> None:
        self._rules = CachedRows(database, _read, kept_for=KEPT_FOR)

    async def current(self) -> Sequence[ImportRule]:
        """Return them, by id."""
        return await self._rules.all()

    def forget(self) -> None:
        """Drop the cache; call it after a change is committed."""
        self._rules.forget()


async def _read(connection: Connection) -> Sequence[ImportRule]:
    return tuple(stored.rule for stored in await import_rules.list_rules(connection))
