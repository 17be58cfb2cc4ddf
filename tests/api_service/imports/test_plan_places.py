"""Bounded places for dry runs, which users share fairly."""

import asyncio

import pytest

from api_service.imports.dry_run.places import PlanPlaces
from shared.model.owner import Owner

ALICE, BOB, CAROL = (Owner(subject=name) for name in ("alice", "bob", "carol"))


class Runs:
    """Dry runs that end on demand; `running` has the users of those that have a place, in order."""

    def __init__(self, places: PlanPlaces) -> None:
        self.places = places
        self.running: list[str] = []
        self.most = 0
        self._tasks: list[tuple[str, asyncio.Event, asyncio.Task[None]]] = []

    async def start(self, *users: Owner) -> None:
        for user in users:
            end = asyncio.Event()
            self._tasks.append((user.subject, end, asyncio.create_task(self._run(user, end))))
        await settle()

    async def end(self, user: Owner) -> None:
        """End the oldest run of this user that has a place."""
        position = next(n for n, (name, _, _) in enumerate(self._tasks) if name == user.subject)
        _, end, task = self._tasks.pop(position)
        end.set()
        await task
        await settle()

    async def cancel(self, user: Owner) -> None:
        """Cancel the newest run of this user."""
        position = max(n for n, (name, _, _) in enumerate(self._tasks) if name == user.subject)
        task = self._tasks.pop(position)[2]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle()

    async def end_all(self) -> None:
        for _, end, _ in self._tasks:
            end.set()
        await asyncio.gather(*(task for _, _, task in self._tasks))

    async def _run(self, user: Owner, end: asyncio.Event) -> None:
        async with self.places.take(user):
            self.running.append(user.subject)
            self.most = max(self.most, len(self.running))
            await end.wait()
            self.running.remove(user.subject)


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_user_leaves_a_place_to_others() -> None:
    """A user with a hundred dry runs has two places; another user's first one starts at once."""
    runs = Runs(PlanPlaces(3, 2))
    await runs.start(*[ALICE] * 100)
    assert runs.running == ["alice", "alice"]
    await runs.start(BOB)
    assert runs.running == ["alice", "alice", "bob"]
    await runs.end_all()
    assert runs.most == 3


async def test_a_free_place_goes_to_the_user_with_the_fewest() -> None:
    """The longest wait decides only among users with equally many."""
    runs = Runs(PlanPlaces(3, 2))
    await runs.start(ALICE, ALICE, BOB, BOB, CAROL)
    assert sorted(runs.running) == ["alice", "alice", "bob"]
    await runs.end(ALICE)
    assert sorted(runs.running) == ["alice", "bob", "carol"]
    await runs.end_all()


async def test_a_dry_run_that_is_cancelled_keeps_no_place() -> None:
    """Neither while it waits, nor while it has one."""
    runs = Runs(PlanPlaces(1, 1))
    await runs.start(ALICE, BOB)
    await runs.cancel(BOB)
    await runs.cancel(ALICE)
    await runs.start(CAROL)
    assert runs.running[-1] == "carol"
    await runs.end_all()
