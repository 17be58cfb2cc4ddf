"""Concurrency pools (lanes): a task takes one slot in each of several lanes at once, or waits without any.

Why: docs/decisions/0020.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count


@dataclass(frozen=True, slots=True)
class Lane:
    """A pool of slots; `capacity` is evaluated each time, and is at least 1."""

    name: Hashable
    capacity: Callable[[], int] = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Waiter:
    ticket: int
    granted: "asyncio.Future[None]"


class Lanes:
    """The slots in use, by lane, and the tasks that wait for some.

    No task holds a slot while it waits for another one, so there is no deadlock. The task that has waited longest goes
    first; if its lanes are full, tasks that need other lanes overtake it.
    """

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        # Tasks that wait for the same lanes become eligible at the same moment, hence one queue for them.
        self._queues: dict[tuple[Lane, ...], deque[_Waiter]] = {}
        self._tickets = count()

    def lease(self, *lanes: Lane) -> "PoolLease":
        """Return the lease of one slot in each of these lanes; it can be entered any number of times."""
        return PoolLease(self, tuple(dict.fromkeys(lanes)))

    def taken(self, name: Hashable) -> int:
        """Return the number of slots in use in a lane."""
        return self._taken[name]

    async def acquire(self, lanes: tuple[Lane, ...]) -> None:
        """Wait until every lane has a free slot, and take them all in that moment."""
        if lanes not in self._queues and self._fits(lanes):
            self._take(lanes)
            return
        waiter = _Waiter(next(self._tickets), asyncio.get_running_loop().create_future())
        self._queues.setdefault(lanes, deque()).append(waiter)
        try:
            await waiter.granted
        except asyncio.CancelledError:
            self._withdraw(lanes, waiter)
            raise

    def release(self, lanes: tuple[Lane, ...]) -> None:
        """Return the slots, and grant them to waiting tasks."""
        for lane in lanes:
            self._taken[lane.name] -= 1
            if not self._taken[lane.name]:
                del self._taken[lane.name]
        for waiting in sorted(self._queues, key=lambda lanes: self._queues[lanes][0].ticket):
            self._grant(waiting)

    def _grant(self, lanes: tuple[Lane, ...]) -> None:
        queue = self._queues[lanes]
        while queue and self._fits(lanes):
            waiter = queue.popleft()
            # A task that has just been cancelled has not removed itself from the queue yet.
            if not waiter.granted.done():
                self._take(lanes)
                waiter.granted.set_result(None)
        if not queue:
            del self._queues[lanes]

    def _withdraw(self, lanes: tuple[Lane, ...], waiter: _Waiter) -> None:
        """End a cancelled wait; slots that were granted in the same moment go to other tasks."""
        if not waiter.granted.cancelled():
            self.release(lanes)
            return
        queue = self._queues.get(lanes)
        if queue and waiter in queue:
            queue.remove(waiter)
            if not queue:
                del self._queues[lanes]

    def _fits(self, lanes: tuple[Lane, ...]) -> bool:
        return all(self._taken[lane.name] < max(1, lane.capacity()) for lane in lanes)

    def _take(self, lanes: tuple[Lane, ...]) -> None:
        for lane in lanes:
            self._taken[lane.name] += 1


@dataclass(frozen=True, slots=True)
class PoolLease:
    """One slot in each of several lanes, held for the length of an `async with`; many tasks may enter it."""

    pool: Lanes
    lanes: tuple[Lane, ...]

    async def __aenter__(self) -> None:
        await self.pool.acquire(self.lanes)

    async def __aexit__(self, *_: object) -> None:
        self.pool.release(self.lanes)
