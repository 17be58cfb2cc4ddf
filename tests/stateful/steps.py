"""What people, workers and the world do in a sequence; each knows which answers are right, and tells the model."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from api_service.auth.identity import Identity
from api_service.background.reaper import reap
from api_service.images.keys import DELETION
from api_service.imports.keys import QUEUE
from deploy.local.stack import LocalStackError
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.target.settings import TargetKind
from tests.api_service.api import Answer
from tests.stateful.contents import CONTENTS
from tests.stateful.front import Fault, Trouble
from tests.stateful.gate import Point
from tests.stateful.play import BY_HAND, Place, Play, Row
from tests.stateful.world import RETRIES, USERS

# Refusals that change nothing.
REFUSED = frozenset({403, 404, 409})


class Step(Protocol):
    """Something that happens; `alone` tells that nothing else happens at the same time."""

    async def take(self, play: Play, *, alone: bool) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Import:
    """POST /images:import, of whatever the source's tag points to; the worker is held at a point, or not at all."""

    source: Place
    place: Place
    user: str
    force: bool = False
    point: Point | None = None

    async def take(self, play: Play, *, alone: bool) -> None:
        digest = play.source_digest(self.source)
        row = (await play.rows()).get(self.place)
        body = {
            "source": f"{play.world.source.host}/{self.source[0]}:{self.source[1]}",
            "target": f"{play.full(self.place[0])}:{self.place[1]}",
            "force": self.force,
        }
        answer = await play.call("POST", "/images:import", user=self.user, body=body)
        if alone:
            self._check(answer, row)
        if answer.status != 200:
            assert answer.status in REFUSED, answer
            return
        play.images[self.place] = answer.body["imageId"]
        if answer.body["state"] == 1:
            await play.expect_import(answer, self.place, digest, point=self.point)
        elif alone:
            await self._check_exists(play)

    def _check(self, answer: Answer, row: Row | None) -> None:
        if row is None or (self.force and _may(self.user, row) and row.state in ("ready", "cancelled")):
            assert (answer.status, answer.body["state"]) == (200, 1), answer

    async def _check_exists(self, play: Play) -> None:
        """State 2 means that the target has it."""
        row = (await play.rows())[self.place]
        served = await play.world.serves(play.full(self.place[0]), self.place[1])
        assert row.digest == served, f"{self.place} exists as {row.digest}, served is {served}"


@dataclass(frozen=True, kw_only=True)
class Delete:
    """DELETE /images/:id, perhaps with trouble at the target, or with a crash in the middle."""

    place: Place
    user: str
    trouble: Trouble | None = None

    async def take(self, play: Play, *, alone: bool) -> None:
        image_id = play.images.get(self.place)
        if image_id is None:
            return
        row, writing = (await play.rows()).get(self.place), play.writing(self.place[0])
        served = await play.world.serves(play.full(self.place[0]), self.place[1])
        ours = served in play.ours[image_id]
        status = await self._delete(play, image_id)
        if alone and writing:
            assert status in REFUSED, f"{self.place} was deleted while {writing} were written"
        if alone and self.trouble is None:
            self._check(play, status, row)
        if status in REFUSED:
            return
        if status != 200:
            play.disturbed.add(self.place)
        play.may_be[self.place].add(None)
        if served and alone and play.quiet:
            await self._after(play, served, ours=ours)

    async def _delete(self, play: Play, image_id: int) -> int:
        """Return the answer's status, 599 where none came."""
        if self.trouble is None:
            return (await play.call("DELETE", f"/images/{image_id}", user=self.user)).status
        work = play.world.app[DELETION].delete(image_id, Identity(user=self.user, role=USERS[self.user]))
        task = asyncio.ensure_future(work)
        play.world.front.expect(self.trouble, task.cancel)
        try:
            await task
        except LongshoreError as error:
            return error.kind.status
        except asyncio.CancelledError:
            assert self.trouble.fault is Fault.CRASH
            return 599
        finally:
            play.world.front.expect(None, task.cancel)
        return 200

    def _check(self, play: Play, status: int, row: Row | None) -> None:
        if row is None:
            assert status == 404
        elif not _may(self.user, row):
            assert status == 403
        elif play.quiet:
            # Harbor keeps a part of an index, though no tag leads to that any more.
            assert status in ((200, 409) if play.world.kind is TargetKind.HARBOR else (200,))

    async def _after(self, play: Play, before: str, *, ours: bool) -> None:
        """What is somebody else's stays; what was ours goes, and its manifest where nothing leads to it."""
        served = await play.world.serves(play.full(self.place[0]), self.place[1])
        if not ours:
            assert served == before, f"{self.place} was somebody else's {before}"
        elif self.trouble is None:
            assert served is None, f"{self.place} still serves {before}"
            play.deleted.add((self.place[0], before))


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """POST /images/:id/importing:cancel."""

    place: Place
    user: str

    async def take(self, play: Play, *, alone: bool) -> None:
        if self.place in play.images:
            writing = play.writing(self.place[0])
            path = f"/images/{play.images[self.place]}/importing:cancel"
            answer = await play.call("POST", path, user=self.user)
            assert answer.status in (200, *REFUSED), answer
            if answer.status == 200:
                assert not alone or self.place not in writing, f"{self.place} was cancelled while it was written"
                play.disturbed.add(self.place)
                if answer.body["state"] == "cancelled":
                    play.cancelled.add(answer.body["name"])


@dataclass(frozen=True, kw_only=True)
class Retry:
    """POST /images/:id/importing:retry: the same content once more, wherever the source's tag points to by now."""

    place: Place
    user: str
    point: Point | None = None

    async def take(self, play: Play, *, alone: bool) -> None:
        if self.place not in play.images:
            return
        _, digest = play.wanted[play.newest[self.place]]
        answer = await play.call("POST", f"/images/{play.images[self.place]}/importing:retry", user=self.user)
        assert answer.status in (200, *REFUSED), answer
        if answer.status == 200:
            await play.expect_import(answer, self.place, digest, point=self.point)


@dataclass(frozen=True, kw_only=True)
class MoveSource:
    """Somebody pushes another image to the source's tag."""

    source: Place
    content: int

    async def take(self, play: Play, *, alone: bool) -> None:
        await play.move_source(self.source, self.content)


@dataclass(frozen=True, kw_only=True)
class PushByHand:
    """Somebody else pushes to the target: over a managed tag, or beside it."""

    place: Place
    content: int

    async def take(self, play: Play, *, alone: bool) -> None:
        image = CONTENTS[self.content]
        # Harbor creates no project on a push.
        with suppress(LocalStackError):
            await asyncio.to_thread(play.world.remote.push, play.full(self.place[0]), self.place[1], image)
        play.may_be[self.place].add(image.digest)
        play.disturbed.add(self.place)
        play.by_hand.add(self.place)


@dataclass(frozen=True, kw_only=True)
class TagByHand:
    """Somebody gives what a tag of the target points to another tag, which Longshore does not know."""

    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        repository, hand = play.full(self.place[0]), (self.place[0], BY_HAND)
        digest = await play.world.serves(repository, self.place[1])
        for image in CONTENTS:
            if image.digest == digest:
                await asyncio.to_thread(play.world.remote.push_manifest, repository, BY_HAND, image.root)
                play.may_be[hand].add(digest)


@dataclass(frozen=True, kw_only=True)
class StopMidway:
    """An import gets as far as its point, and somebody cancels it.

    Its worker goes on as if nothing had happened, or was killed there, and the next one is on its way.
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
    """Somebody else pushes over a tag, and its image is deleted; what the image was may have another tag by then."""

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
    """An image is imported and deleted, and while its deletion waits for the target, imported once more.

    The second import gets as far as it can, at another tag perhaps, which then needs what the deletion takes away.
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
class DeleteByHand:
    """Somebody else deletes the manifest that a tag of the target points to, with all its tags."""

    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        repository = play.full(self.place[0])
        digest = await play.world.serves(repository, self.place[1])
        if digest is None:
            return
        # Harbor keeps what an index needs.
        with suppress(LocalStackError):
            await asyncio.to_thread(play.world.remote.delete_manifest, repository, digest)
        for place, digests in play.may_be.items():
            if place[0] == self.place[0] and digest in digests:
                digests.add(None)
                play.disturbed.add(place)
                play.by_hand.add(place)


@dataclass(frozen=True, kw_only=True)
class Untag:
    """Somebody else takes one tag off, through Harbor's own API."""

    place: Place

    async def take(self, play: Play, *, alone: bool) -> None:
        repository = play.full(self.place[0])
        digest = await play.world.serves(repository, self.place[1])
        if digest is None or play.world.kind is not TargetKind.HARBOR:
            return
        await play.world.untag(repository, Digest.parse(digest), self.place[1])
        play.may_be[self.place].add(None)
        play.disturbed.add(self.place)
        play.by_hand.add(self.place)


@dataclass(frozen=True, kw_only=True)
class GoOn:
    """A held import goes on; or its worker is killed, or stopped in good order, and another one begins anew."""

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
    """End the import's attempt: killed, its lease runs out; stopped in good order, it gives the import back."""
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


def _may(user: str, row: Row) -> bool:
    return user in ("root", row.created_by)
