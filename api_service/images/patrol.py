"""Verifies all ready images in rounds, so that a tag that another client deleted or moved is found within a round.

Every API instance makes its own rounds. Why: docs/decisions/0005.
"""

import asyncio

from api_service.images.verify_tag import TagVerifier
from shared.db import images
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import gather_all
from shared.runtime.condition import Condition

# Images that are verified at a time, and the pause after them, in seconds: five small requests a second are little load
# for a Harbor, and a round of twenty thousand images ends in about an hour.
BATCH = 10
INTERVAL = 2.0
# Between two rounds, so that a few images are not verified all the time. Seconds.
REST = 60.0


class TagPatrol:
    """The loop that makes the rounds."""

    def __init__(self, verifier: TagVerifier) -> None:
        self._verifier = verifier
        self._condition = Condition("patrol")

    async def run(self) -> None:
        """Make rounds until cancelled."""
        after = 0
        while True:
            try:
                after, trouble = await verify_batch(self._verifier, after)
                self._record(trouble)
            except LongshoreError as error:
                self._record(error)
            await asyncio.sleep(INTERVAL if after else REST)

    def _record(self, trouble: LongshoreError | None) -> None:
        if trouble:
            self._condition.down(trouble)
        else:
            self._condition.up()


async def verify_batch(verifier: TagVerifier, after: int = 0) -> tuple[int, LongshoreError | None]:
    """Verify the next ready images after the one with this id.

    Returns the id to continue after, 0 at the end of a round, and one of the target's errors; its image is verified
    again in the next round. Raises `database_unavailable`.
    """
    async with verifier.database.connection() as connection:
        batch = await images.ready_images(connection, registry_host=verifier.registry_host, after=after, limit=BATCH)
    troubles = await gather_all([_verify(verifier, image) for image in batch])
    return batch[-1].id if len(batch) == BATCH else 0, next(filter(None, troubles), None)


async def _verify(verifier: TagVerifier, image: Image) -> LongshoreError | None:
    try:
        await verifier.verify(image)
    except LongshoreError as error:
        if error.code == Code.DATABASE_UNAVAILABLE:
            raise
        return error
    return None
