"""Looks at all images in rounds, so that a tag that another client deleted or moved is found within a round.

An image whose loss is proven fails, and becomes ready again when its tag and digest are back. Many losses in a row stop
the round: they are more often a fault of the target than the work of its users. Every API instance makes its own
rounds. Why: docs/decisions/0005 and 0050.
"""

import asyncio
from dataclasses import dataclass

import structlog

from api_service.images.verify_tag import TagVerifier, UnknownTargetError
from api_service.metrics import events
from shared.db import images
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import ImageStatus
from shared.runtime.concurrency import gather_all
from shared.runtime.condition import Condition

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the patrol goes. Times are in seconds.

    `batch` images are looked at together, then comes `interval`: five small requests a second are little load for a
    Harbor, and a round of twenty thousand images ends in about an hour. `rest` comes between two rounds, so that a few
    images are not looked at all the time. After `losses` losses in a row the round pauses for `pause`: time for a
    person to look at the target, while at most sixty images an hour are called lost.
    """

    batch: int = 10
    interval: float = 2.0
    rest: float = 60.0
    losses: int = 10
    pause: float = 600.0


PACE = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The result of looking at some images.

    `wait` is the number of seconds until the next look; `trouble` is one of the target's errors, whose image is looked
    at again in the next round; `alarm` says why the round stopped.
    """

    wait: float
    trouble: LongshoreError | None = None
    alarm: str = ""


class TagPatrol:
    """The rounds of one API instance."""

    def __init__(self, verifier: TagVerifier, pace: Pace = PACE, *, after: int = 0) -> None:
        """The first round begins with the images after the one with the id `after`."""
        self._verifier = verifier
        self._pace = pace
        self._condition = Condition("patrol")
        self._after = after
        # Losses since the last image that the target served, and that image.
        self._losses = 0
        self._witness: Image | None = None

    @property
    def after(self) -> int:
        """The id that the next batch begins behind; 0 at the beginning of a round."""
        return self._after

    async def run(self) -> None:
        """Make rounds until cancelled."""
        while True:
            try:
                batch = await self.look()
            except LongshoreError as error:
                self._condition.down(error)
                await asyncio.sleep(self._pace.interval)
            else:
                self._record(batch)
                await asyncio.sleep(batch.wait)

    async def look(self) -> Batch:
        """Look at the next batch of images; raises `database_unavailable`."""
        verifier, pace = self._verifier, self._pace
        async with verifier.database.connection() as connection:
            known = await images.known_images(
                connection, registry_host=verifier.registry_host, after=self._after, limit=pace.batch
            )
        looks = await gather_all([self._look_at(image) for image in known])
        trouble: LongshoreError | None = None
        for image, answer in zip(known, looks, strict=True):
            if isinstance(answer, LongshoreError):
                trouble = answer
            elif answer:
                await self._served(image)
            elif image.status is ImageStatus.READY and trouble is None:
                if self._losses >= pace.losses:
                    return self._stop(image, f"{self._losses} images in a row are lost.", pace.pause)
                try:
                    await self._missing(image)
                except UnknownTargetError as error:
                    return self._stop(image, error.detail, pace.rest)
                except LongshoreError as error:
                    trouble = _of_target(error)
        self._after = known[-1].id if len(known) == pace.batch else 0
        events.patrol_stopped(stopped=False)
        return Batch(wait=pace.interval if self._after else pace.rest, trouble=trouble)

    async def _look_at(self, image: Image) -> bool | LongshoreError:
        try:
            return await self._verifier.serves(image)
        except LongshoreError as error:
            return _of_target(error)

    async def _served(self, image: Image) -> None:
        self._losses, self._witness = 0, image
        if image.status is not ImageStatus.READY:
            await self._verifier.mark_found(image)

    async def _missing(self, image: Image) -> None:
        if await self._verifier.is_proven_lost(image, self._witness):
            self._losses += 1
            await self._verifier.mark_lost(image)

    def _stop(self, image: Image, reason: str, wait: float) -> Batch:
        """Stop the round at this image, which is the next one to be looked at, after `wait` seconds."""
        self._after, self._losses = image.id - 1, 0
        events.patrol_stopped(stopped=True)
        _logger.error("patrol.stopped", reason=reason, image_id=image.id, seconds=wait)
        return Batch(wait=wait, alarm=reason)

    def _record(self, batch: Batch) -> None:
        if batch.trouble:
            self._condition.down(batch.trouble)
        elif not batch.alarm:
            self._condition.up()


def _of_target(error: LongshoreError) -> LongshoreError:
    """Return an error of the target; raise any other."""
    if error.code == Code.DATABASE_UNAVAILABLE:
        raise error
    return error
