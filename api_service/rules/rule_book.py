"""Looks up the import rules: a result is cached for a moment, and concurrent requests share one query."""

from collections.abc import Sequence
from time import monotonic

from shared.db.access import import_rules
from shared.db.coalescer import Coalescer
from shared.db.database import Database
from shared.model.import_rule import ImportRule

# After another API instance changed a rule, the old one allows imports at most this long. Each import is checked again
# when a worker claims it. Seconds. Without the cache every import would cost another query.
KEPT_FOR = 1.0


class RuleBook:
    """Caches all import rules, which are few (stored_rules.MAX_RULES)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._coalescer = Coalescer(self._look)
        self._kept: Sequence[ImportRule] = ()
        self._until = 0.0
        self._changes = 0

    async def current(self) -> Sequence[ImportRule]:
        """Return them, by id."""
        if monotonic() < self._until:
            return self._kept
        return await self._coalescer.ask(None)

    def forget(self) -> None:
        """Drop the cache; call it after a change is committed."""
        self._until = 0.0
        self._changes += 1

    async def _look(self, _: frozenset[None]) -> Sequence[ImportRule]:
        # The time before the query, which does not see later changes.
        now, changes = monotonic(), self._changes
        async with self._database.connection() as connection:
            found = tuple(stored.rule for stored in await import_rules.list_rules(connection))
        if changes == self._changes:
            self._kept, self._until = found, now + KEPT_FOR
        return found
