"""One query for all who ask at the same moment, so that a busy service saves most of its round trips."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context
from typing import Generic, TypeVar

from shared.db.database import translated
from shared.db.deadline import Waiting

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Coalescer(Generic[Key, Found]):
    """Calls `look` with the keys of all who ask in one turn of the event loop: after each of them has asked."""

    def __init__(self, look: Callable[[frozenset[Key]], Awaitable[Found]]) -> None:
        self._look = look
        self._keys: set[Key] = set()
        self._next: asyncio.Task[Found] | None = None

    async def ask(self, key: Key) -> Found:
        """Return what was found for this key and others; raises what `look` raises."""
        self._keys.add(key)
        if self._next is None:
            # Each has a deadline of its own, and none of them is the query's.
            self._next = asyncio.create_task(self._begin(), context=Context())
            self._next.add_done_callback(_take_note)
        with translated():
            async with Waiting():
                # One of them may be cancelled without the others.
                return await asyncio.shield(self._next)

    async def _begin(self) -> Found:
        keys, self._keys, self._next = frozenset(self._keys), set(), None
        return await self._look(keys)


def _take_note(task: "asyncio.Task[Found]") -> None:
    """Look at the failure that all who waited were told, or asyncio reports it where they have all gone."""
    if not task.cancelled():
        task.exception()
