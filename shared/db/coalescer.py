"""One query for all callers that ask at the same moment: a busy service saves most of its round trips."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import Generic, TypeVar

from shared.db.database import translated
from shared.db.deadline import BoundedWait

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Coalescer(Generic[Key, Found]):
    """Calls `look` once with the keys of all callers of one turn of the event loop, after each of them has asked."""

    def __init__(self, look: Callable[[frozenset[Key]], Awaitable[Found]]) -> None:
        self._look = look
        self._keys: set[Key] = set()
        self._next: asyncio.Task[Found] | None = None

    async def ask(self, key: Key) -> Found:
        """Return the result for this key and the other callers' keys; raises what `look` raises."""
        self._keys.add(key)
        if self._next is None:
            # In an empty context: each caller has its own deadline, and the query has none of theirs.
            self._next = asyncio.create_task(self._begin(), context=Context())
            self._next.add_done_callback(_retrieve_exception)
        with translated():
            async with BoundedWait():
                # Shielded, because cancelling one caller must not cancel the query of the others.
                return await asyncio.shield(self._next)

    async def _begin(self) -> Found:
        keys, self._keys, self._next = frozenset(self._keys), set(), None
        return await self._look(keys)


def _retrieve_exception(task: "asyncio.Task[Found]") -> None:
    """Mark the task's exception as seen, or asyncio reports it when all callers were cancelled."""
    if not task.cancelled():
        task.exception()
