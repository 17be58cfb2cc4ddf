"""The slots of a worker: how many imports it runs at once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class Slots:
    """A bounded set of running tasks. It counts as full while a task runs that was started with `alone`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tasks: set[asyncio.Task[None]] = set()
        self._alone: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        return self._alone in self._tasks or len(self._tasks) >= self.size

    @property
    def running(self) -> tuple[asyncio.Task[None], ...]:
        return tuple(self._tasks)

    def start(self, work: Coroutine[Any, Any, None], name: str, *, alone: bool = False) -> None:
        """Run the work in a new task; a slot must be free. Work that is started with `alone` may await `wait_alone`."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        if alone:
            self._alone = task
        task.add_done_callback(self._ended)

    async def wait_free(self) -> None:
        """Wait until a slot is free."""
        await self._wait(lambda: not self.full)

    async def wait_alone(self) -> None:
        """Wait until the caller's task is the only one left."""
        await self._wait(lambda: len(self._tasks) == 1)

    async def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
