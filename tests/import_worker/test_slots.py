"""A worker's slots: how many imports run at once, the import that runs alone, and imports that only wait."""

import asyncio

import pytest

from import_worker import slots as slots_module
from import_worker.slots import Slot, Slots


async def settle() -> None:
    """Let the event loop run every task that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


class Work:
    """Imports that end when the test ends them; `begun` has the names of those that have started their work."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.begun: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}

    def start(self, name: str, *, alone: bool = False) -> Slot:
        self._ends[name] = asyncio.Event()
        slot = Slot(self.slots)
        self.slots.start(self._run(name, alone=alone), name, slot=slot, alone=alone)
        return slot

    async def end(self, name: str) -> None:
        self._ends[name].set()
        await settle()

    async def _run(self, name: str, *, alone: bool) -> None:
        if alone:
            await self.slots.wait_alone()
        self.begun.append(name)
        await self._ends[name].wait()


async def test_an_import_that_runs_alone_starts_when_the_others_have_ended() -> None:
    """Imports that started before it continue; none starts while it waits or runs."""
    work = Work(Slots(4))
    work.start("first")
    work.start("second")
    work.start("suspect", alone=True)
    await settle()
    assert work.begun == ["first", "second"]
    await work.end("first")
    assert work.slots.full
    assert work.begun == ["first", "second"]
    await work.end("second")
    assert work.begun == ["first", "second", "suspect"]
    assert work.slots.full
    await work.end("suspect")
    assert not work.slots.full


async def test_slots_are_free_again_when_the_import_that_ran_alone_has_ended() -> None:
    """As many slots are free as before."""
    work = Work(Slots(2))
    work.start("suspect", alone=True)
    await settle()
    waiting = asyncio.create_task(work.slots.wait_free(reserved_for=60))
    await settle()
    assert not waiting.done()
    await work.end("suspect")
    assert waiting.done()
    work.start("next")
    assert not work.slots.full


async def test_a_slot_that_is_given_back_is_free_for_another_import() -> None:
    """The import that waits is still running: a stopping worker hands it back."""
    work = Work(Slots(1))
    waiting = work.start("waiting")
    free = asyncio.create_task(work.slots.wait_free())
    await settle()
    assert not free.done()
    assert waiting.give_back()
    await settle()
    assert free.done()
    work.start("next")
    await settle()
    assert work.begun == ["waiting", "next"]
    assert (work.slots.busy, work.slots.idle, len(work.slots.running)) == (1, 1, 2)


async def test_an_import_takes_its_slot_again_before_a_new_one_starts() -> None:
    """With imports that return, no slot counts as free."""
    work = Work(Slots(1))
    returning = work.start("returning")
    returning.give_back()
    work.start("next")
    taking = asyncio.create_task(returning.take_again())
    await settle()
    assert not taking.done()
    free = asyncio.create_task(work.slots.wait_free())
    await work.end("next")
    assert taking.done()
    assert not free.done()
    assert (work.slots.busy, work.slots.full) == (1, True)
    await work.end("returning")
    assert free.done()


async def test_two_imports_that_return_get_one_slot_each() -> None:
    """One slot is not taken twice."""
    work = Work(Slots(1))
    returning = []
    for name in ("first", "second"):
        returning.append(work.start(name))
        returning[-1].give_back()
    work.start("third")
    taking = [asyncio.create_task(slot.take_again()) for slot in returning]
    await work.end("third")
    assert [task.done() for task in taking] == [True, False]
    await work.end("first")
    assert taking[1].done()


async def test_an_import_that_stops_asking_for_a_slot_leaves_it_to_others() -> None:
    """It was cancelled."""
    work = Work(Slots(1))
    returning = work.start("returning")
    returning.give_back()
    work.start("next")
    taking = asyncio.create_task(returning.take_again())
    free = asyncio.create_task(work.slots.wait_free())
    await settle()
    taking.cancel()
    await work.end("next")
    assert free.done()


async def test_the_number_of_imports_that_only_wait_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one keeps its slot until another one has ended."""
    monkeypatch.setattr(slots_module, "MAX_IDLE", 1)
    work = Work(Slots(2))
    first, second = work.start("first"), work.start("second")
    assert [first.give_back(), second.give_back()] == [True, False]
    await settle()
    await work.end("first")
    assert second.give_back()


async def test_an_import_that_only_waits_returns_beside_one_that_waits_to_be_alone() -> None:
    """Otherwise each would wait for the other, in a worker of one slot."""
    work = Work(Slots(1))
    waiting = work.start("waiting")
    waiting.give_back()
    work.start("suspect", alone=True)
    await settle()
    taking = asyncio.create_task(waiting.take_again())
    await settle()
    assert taking.done()
    await work.end("waiting")
    assert work.begun == ["waiting", "suspect"]


async def test_a_reserved_slot_is_room_in_full_slots() -> None:
    """A wait for a free slot ends after a while where a reserved one is free, and at once where a common one is."""
    work = Work(Slots(1, reserved=1))
    work.start("first")
    assert (work.slots.full, work.slots.has_room) == (True, True)
    await work.slots.wait_free(reserved_for=0)
    work.start("of another user")
    assert (work.slots.full, work.slots.has_room) == (True, False)
    waiting = asyncio.create_task(work.slots.wait_free(reserved_for=60))
    await settle()
    await work.end("of another user")
    assert (work.slots.full, work.slots.has_room, waiting.done()) == (True, True, False)
    await work.end("first")
    await waiting
    assert not work.slots.full


async def test_nothing_is_reserved_beside_an_import_that_runs_alone() -> None:
    """Another one could be lost with it."""
    work = Work(Slots(2, reserved=1))
    work.start("suspect", alone=True)
    assert not work.slots.has_room
