"""The slots of a worker: how many imports it runs at once, beside those that only wait for other imports."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

# Imports that have given their slot back, and wait for other imports' transfers. Each holds its plan, a lease that it
# renews, and asks the database now and then; at this number the next one keeps its slot. A family of images that are
# imported together is seldom larger.
MAX_IDLE = 16


class Slots:
    """A bounded set of running tasks. It counts as full while a task runs that was started with `alone`.

    Beside its `size`, it has `reserved` slots for users who have no import running: a full one may have room for those.
    """

    def __init__(self, size: int, *, reserved: int = 0) -> None:
        self.size = size
        self._reserved = reserved
        self._tasks: dict[asyncio.Task[None], Slot] = {}
        self._alone: asyncio.Task[None] | None = None
        self._alone_waits = False
        self._returning = 0
        self._changed = asyncio.Event()

    @property
    def full(self) -> bool:
        """Whether no slot is free for a new import: imports that have given theirs back come first."""
        return self._alone in self._tasks or self.busy + self._returning >= self.size

    @property
    def has_room(self) -> bool:
        """Whether a slot is free, be it a reserved one."""
        return self._alone not in self._tasks and self.busy + self._returning < self.size + self._reserved

    @property
    def running(self) -> tuple[asyncio.Task[None], ...]:
        """All tasks, those without a slot included."""
        return tuple(self._tasks)

    @property
    def busy(self) -> int:
        """The number of slots that are taken."""
        return sum(slot.taken for slot in self._tasks.values())

    @property
    def idle(self) -> int:
        """The number of tasks that have given their slots back."""
        return len(self._tasks) - self.busy

    def start(
        self, work: Coroutine[Any, Any, None], name: str, *, slot: "Slot | None" = None, alone: bool = False
    ) -> None:
        """Run the work in a new task; a slot must be free. Work that is started with `alone` may await `wait_alone`.

        Work that is started with a `slot` may give it back.
        """
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = slot or Slot(self)
        if alone:
            self._alone = task
        task.add_done_callback(self._ended)

    async def wait_free(self, *, reserved_for: float = 0.0) -> None:
        """Wait until a slot is free, or until a reserved one has been free for so many seconds."""
        await self._wait(lambda: self.has_room)
        with suppress(TimeoutError):
            async with asyncio.timeout(reserved_for):
                await self._wait(lambda: not self.full)

    async def wait_alone(self) -> None:
        """Wait until the caller's task is the only one left."""
        self._alone_waits = True
        self.changed()
        try:
            await self._wait(lambda: len(self._tasks) == 1)
        finally:
            self._alone_waits = False

    async def wait_to_return(self) -> None:
        """Wait until an import that has given its slot back may take one."""
        self._returning += 1
        try:
            await self._wait(lambda: self.busy - self._alone_waits < self.size)
        finally:
            self._returning -= 1
            self.changed()

    def changed(self) -> None:
        """Have everything that waits for a slot look again."""
        self._changed.set()

    async def _wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self.changed()


class Slot:
    """The slot that one import holds. Fits `copying.ends.ImportSlot`."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.taken = True

    def give_back(self) -> bool:
        if self._slots.idle >= MAX_IDLE:
            return False
        self.taken = False
        self._slots.changed()
        return True

    async def take_again(self) -> None:
        await self._slots.wait_to_return()
        self.taken = True
