"""Steps of the API's users: import, delete, cancel, retry."""

import asyncio
from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.images.keys import DELETION
from shared.errors.error import LongshoreError
from shared.target.settings import TargetKind
from tests.api_service.api import Answer
from tests.stateful.front import Fault, Trouble
from tests.stateful.gate import Point
from tests.stateful.play import Place, Play, Row
from tests.stateful.step import REFUSED, may_change
from tests.stateful.world import USERS


@dataclass(frozen=True, kw_only=True)
class Import:
    """POST /images:import of the current digest of the source's tag; the worker may be held at a point."""

    source: Place
    place: Place
    user: str
    force: bool = False
    point: Point | None = None

    async def take(self, play: Play, *, alone: bool) -> None:
        digest = play.source_digest(self.source)
        row = (await play.rows()).get(self.place)
        served = await play.world.serves(play.full(self.place[0]), self.place[1])
        foreign = served is not None and (row is None or served not in play.written[row.id])
        body = {
            "source": f"{play.world.source.host}/{self.source[0]}:{self.source[1]}",
            "target": f"{play.full(self.place[0])}:{self.place[1]}",
            "force": self.force,
        }
        answer = await play.call("POST", "/images:import", user=self.user, body=body)
        if alone:
            self._check(answer, row, foreign=foreign)
        if answer.status != 200:
            assert answer.status in REFUSED, answer
            return
        play.images[self.place] = answer.body["imageId"]
        if answer.body["state"] == 1:
            await play.expect_import(answer, self.place, digest, point=self.point)
        elif alone:
            await self._check_exists(play)

    def _check(self, answer: Answer, row: Row | None, *, foreign: bool) -> None:
        """Check the answers that are certain: another client's tag is replaced by an admin with `force`."""
        starts = answer.status == 200 and answer.body["state"] == 1
        ended = row is None or row.state in ("ready", "cancelled", "failed")
        if foreign and ended and (self.user != "root" or not self.force):
            assert answer.status in REFUSED, f"{self.place} was another client's: {answer}"
        elif row is None or (self.force and may_change(self.user, row) and ended):
            assert starts, answer

    async def _check_exists(self, play: Play) -> None:
        """Check that the target has the image, as state 2 says."""
        row = (await play.rows())[self.place]
        served = await play.world.serves(play.full(self.place[0]), self.place[1])
        assert row.digest == served, f"{self.place} exists as {row.digest}, served is {served}"


@dataclass(frozen=True, kw_only=True)
class Delete:
    """DELETE /images/:id, possibly with a fault at the target or a crash in the middle."""

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
        """Return the status of the answer, or 599 without an answer."""
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
        elif not may_change(self.user, row):
            assert status == 403
        elif play.quiet:
            # Harbor keeps a child of an index even if no tag points to the index any more.
            assert status in ((200, 409) if play.world.kind is TargetKind.HARBOR else (200,))

    async def _after(self, play: Play, before: str, *, ours: bool) -> None:
        """Check that a foreign tag is kept, and that Longshore's tag is gone, with its manifest if that is unused."""
        served = await play.world.serves(play.full(self.place[0]), self.place[1])
        if not ours:
            assert served == before, f"{self.place} was a foreign {before}"
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
    """POST /images/:id/importing:retry: the same digest again, even if the source's tag has moved."""

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
