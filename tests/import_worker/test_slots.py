"""A worker's slots: how many imports run at once, and the import that runs alone."""

import asyncio

from import_worker.slots import Slots


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

    def start(self, name: str, *, alone: bool = False) -> None:
        self._ends[name] = asyncio.Event()
        self.slots.start(self._run(name, alone=alone), name, alone=alone)

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
    waiting = asyncio.create_task(work.slots.wait_free())
    await settle()
    assert not waiting.done()
    await work.end("suspect")
    assert waiting.done()
    work.start("next")
    assert not work.slots.full
