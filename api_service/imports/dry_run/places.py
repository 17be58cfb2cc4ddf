"""Bounded places for dry runs, which users share fairly: a free one goes to the user who has the fewest."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from shared.model.owner import Owner

# Concurrent plans of one process, each with its manifests in memory (shared.planning.budget). Two of them may be one
# user's, so that another user finds a place within the deadline of his dry run.
PLANS_AT_ONCE = 3
PLANS_OF_ONE_USER = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Waiting:
    user: Owner
    given: asyncio.Future[None]


class PlanPlaces:
    """The places of one process; the caller limits how long it waits for one."""

    def __init__(self, places: int = PLANS_AT_ONCE, of_one_user: int = PLANS_OF_ONE_USER) -> None:
        self._free = places
        self._of_one_user = of_one_user
        self._taken: Counter[Owner] = Counter()
        self._waiting: list[_Waiting] = []

    @asynccontextmanager
    async def take(self, user: Owner) -> AsyncIterator[None]:
        """Run the block in a place of this user; among users with equally many, the longest wait is first."""
        waiting = _Waiting(user=user, given=asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._give()
        try:
            await waiting.given
            yield
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._return(user)

    def _give(self) -> None:
        """Give free places to those who wait."""
        while self._free and (next_one := self._next()):
            self._waiting.remove(next_one)
            self._free -= 1
            self._taken[next_one.user] += 1
            if not next_one.given.done():
                next_one.given.set_result(None)

    def _next(self) -> _Waiting | None:
        entitled = [one for one in self._waiting if self._taken[one.user] < self._of_one_user]
        return min(entitled, key=lambda one: self._taken[one.user], default=None)

    def _return(self, user: Owner) -> None:
        self._free += 1
        self._taken -= Counter({user: 1})
        self._give()
