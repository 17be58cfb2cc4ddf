"""The rows of a small table, cached for a moment; concurrent requests share one query."""

from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

from shared.db.coalescer import Coalescer
from shared.db.database import Connection, Database

Row = TypeVar("Row")


class CachedRows(Generic[Row]):
    """Caches everything that `read` returns, for `kept_for` seconds: how long another instance's change is not seen."""

    def __init__(
        self, database: Database, read: Callable[[Connection], Awaitable[Sequence[Row]]], *, kept_for: float
    ) -> None:
        self._database = database
        self._read = read
        self._kept_for = kept_for
        self._coalescer = Coalescer(self._look)
        self._kept: Sequence[Row] = ()
        self._until = 0.0
        self._changes = 0

    async def all(self) -> Sequence[Row]:
        """Return the rows in the order of `read`."""
        if monotonic() < self._until:
            return self._kept
        return await self._coalescer.ask(None)

    def forget(self) -> None:
        """Drop the cache; call it after a change is committed."""
        self._until = 0.0
        self._changes += 1

    async def _look(self, _: frozenset[None]) -> Sequence[Row]:
        # The time before the query, which does not see later changes.
        now, changes = monotonic(), self._changes
        async with self._database.connection() as connection:
            found = await self._read(connection)
        if changes == self._changes:
            self._kept, self._until = found, now + self._kept_for
        return found
