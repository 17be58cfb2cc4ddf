"""How many imports a worker runs at once, and which."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Slots:
    """A bounded set of running tasks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        return len(self._tasks) >= self.size

    @property
    def running(self) -> tuple[asyncio.Task[None], ...]:
        return tuple(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run the work in a task of its own; there must be room."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def wait_free(self) -> None:
        """Wait until a slot is free."""
        while self.full:
            self._changed.clear()
            await self._changed.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
