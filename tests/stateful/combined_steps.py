"""Steps that combine others, and steps that stop workers."""

import asyncio
from dataclasses import dataclass

from api_service.background.reaper import reap
from api_service.imports.keys import QUEUE
from tests.stateful.api_steps import Cancel, Delete, Import
from tests.stateful.gate import Point
from tests.stateful.play import Place, Play
from tests.stateful.registry_steps import PushByHand, TagByHand
from tests.stateful.step import REFUSED
from tests.stateful.world import RETRIES


@dataclass(frozen=True, kw_only=True)
class StopMidway:
    """An import is cancelled at a point.

    Its worker continues, or was killed at that point and another worker has started.
    """

    source: Place
    place: Place
    point: Point
    killed: bool

    async def take(self, play: Play, *, alone: bool) -> None:
        before = set(play.wanted)
        step = Import(source=self.source, place=self.place, user="root", force=True, point=self.point)
        await step.take(play, alone=alone)
        name = play.newest.get(self.place)
        if name is None or name in before:
            return
        if self.killed:
            await _stop_worker(play, name, kill=True)
            play.world.gate.hold_again(name, Point.COPIED)
            await reap(play.world.app[QUEUE], RETRIES)
        await Cancel(place=self.place, user="root").take(play, alone=alone)
        play.world.gate.release(name)


@dataclass(frozen=True, kw_only=True)
class DeleteReplaced:
    """Another client overwrites a tag, and its image is deleted; the old digest may have another tag."""

    place: Place
    content: int
    shared: bool

    async def take(self, play: Play, *, alone: bool) -> None:
        if self.shared:
            await TagByHand(place=self.place).take(play, alone=alone)
        await PushByHand(place=self.place, content=self.content).take(play, alone=alone)
        await Delete(place=self.place, user="root").take(play, alone=alone)


@dataclass(frozen=True, kw_only=True)
class ImportMeanwhile:
    """An image is imported, deleted, and imported again while its deletion waits for the target.

    The second import runs as far as it can, possibly for another tag that needs the content of the deleted one.
    """

    deleted: Place
    at: int
    source: Place
    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        if not play.quiet:
            return
        await Import(source=self.source, place=self.deleted, user="root", force=True).take(play, alone=alone)
        await play.settle()
        with play.world.front.pausing(self.at) as pause:
            path = f"/images/{play.images[self.deleted]}"
            deleting = asyncio.ensure_future(play.call("DELETE", path, user="root"))
            reached = asyncio.ensure_future(pause.reached.wait())
            await asyncio.wait({deleting, reached}, return_when=asyncio.FIRST_COMPLETED)
            reached.cancel()
            if pause.reached.is_set():
                await self._import(play)
        answer = await deleting
        assert answer.status in (200, *REFUSED), answer
        if answer.status == 200:
            play.may_be[self.deleted].add(None)

    async def _import(self, play: Play) -> None:
        before = set(play.wanted)
        await Import(source=self.source, place=self.place, user="root", force=True).take(play, alone=False)
        name = play.newest.get(self.place)
        if name is None or name in before:
            return
        assert self.place != self.deleted, f"an import of {self.place} began while that was deleted"
        await play.world.gate.stopped(name)


@dataclass(frozen=True, kw_only=True)
class Resume:
    """A held import continues; or its worker is killed or stopped, and another worker starts it again."""

    which: int
    how: str

    async def take(self, play: Play, *, alone: bool) -> None:
        gate = play.world.gate
        if not gate.held:
            return
        name = sorted(gate.held)[self.which % len(gate.held)]
        if self.how != "release":
            await _stop_worker(play, name, kill=self.how == "kill")
        gate.release(name)


async def _stop_worker(play: Play, name: str, *, kill: bool) -> None:
    """End the import's attempt: after a kill its lease expires; a stopped worker hands the import back."""
    world = play.world
    async with world.database.connection() as connection:
        attempt = await connection.fetchval("SELECT attempt FROM imports WHERE name = $1", name)
    if kill and attempt:
        world.gate.silence(name, attempt)
    tasks = [task for task in world.worker.slots.running if task.get_name() == name]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    async with world.database.connection() as connection:
        await connection.execute(
            "UPDATE imports SET lease_until = now() - interval '1 s' WHERE name = $1 AND state = 'running'", name
        )
