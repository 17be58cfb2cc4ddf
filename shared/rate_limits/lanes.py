"""Places for a bounded number of users at a time, taken in several lanes at once or not at all."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from itertools import count


@dataclass(frozen=True, slots=True)
class Lane:
    """Something of which only so many may make use at a time; `capacity` is asked anew each time, and at least 1."""

    name: Hashable
    capacity: Callable[[], int] = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Waiter:
    ticket: int
    granted: "asyncio.Future[None]"


class Lanes:
    """Who is in which lane.

    Nobody holds a place while waiting for another one, so there is no deadlock. Who has waited longest goes first; one
    whose lanes are full is passed by those that need other lanes.
    """

    def __init__(self) -> None:
        self._taken: Counter[Hashable] = Counter()
        # Those that wait for the same lanes fit at the same time, hence one queue for them.
        self._queues: dict[tuple[Lane, ...], deque[_Waiter]] = {}
        self._tickets = count()

    def lease(self, *lanes: Lane) -> "PoolLease":
        """Return what takes one place in each of these lanes, as often as it is entered."""
        return PoolLease(self, tuple(dict.fromkeys(lanes)))

    def taken(self, name: Hashable) -> int:
        """Return how many places of a lane are taken."""
        return self._taken[name]

    async def acquire(self, lanes: tuple[Lane, ...]) -> None:
        """Wait until every lane has a place, and take them all in that moment."""
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
        """Give the places back, to those that wait for them."""
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
            # One that was cancelled a moment ago has not had its turn to leave the queue.
            if not waiter.granted.done():
                self._take(lanes)
                waiter.granted.set_result(None)
        if not queue:
            del self._queues[lanes]

    def _withdraw(self, lanes: tuple[Lane, ...], waiter: _Waiter) -> None:
        """End a wait that was cancelled; places that were granted in the same moment go on to others."""
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
    """One place in each of several lanes, for the length of an `async with`; many tasks may enter it."""

    within: Lanes
    lanes: tuple[Lane, ...]

    async def __aenter__(self) -> None:
        await self.within.acquire(self.lanes)

    async def __aexit__(self, *_: object) -> None:
        self.within.release(self.lanes)
