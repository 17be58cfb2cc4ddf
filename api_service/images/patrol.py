"""Goes through the ready images and looks whether the target still serves them.

What somebody else deleted or moved there is found within a round; where it is asked for again, at once. Every API
instance makes rounds of its own.
"""

import asyncio

from api_service.images.verify_tag import Presence
from shared.db import images
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import gather_all
from shared.runtime.condition import Condition

# Images that are looked at side by side, and the pause after them, in seconds: five small requests a second are nothing
# to a Harbor, and bring a round of twenty thousand images to an end in about an hour.
BATCH = 10
INTERVAL = 2.0
# Between two rounds, so that a few images are not looked at all the time. Seconds.
REST = 60.0


class Patrol:
    """The loop."""

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._condition = Condition("patrol")

    async def run(self) -> None:
        """Look for ever."""
        after = 0
        while True:
            try:
                after, trouble = await patrol(self._presence, after)
                self._note(trouble)
            except LongshoreError as error:
                self._note(error)
            await asyncio.sleep(INTERVAL if after else REST)

    def _note(self, trouble: LongshoreError | None) -> None:
        if trouble:
            self._condition.down(trouble)
        else:
            self._condition.up()


async def patrol(presence: Presence, after: int = 0) -> tuple[int, LongshoreError | None]:
    """Look at the ready images that come after this one.

    Returns where to go on, 0 at the end of a round, and what kept the target from telling about one of them: that one
    is looked at in the next round. Raises `database_unavailable`.
    """
    async with presence.database.connection() as connection:
        batch = await images.ready_images(connection, registry_host=presence.registry_host, after=after, limit=BATCH)
    troubles = await gather_all([_look(presence, image) for image in batch])
    return batch[-1].id if len(batch) == BATCH else 0, next(filter(None, troubles), None)


async def _look(presence: Presence, image: Image) -> LongshoreError | None:
    try:
        await presence.confirm(image)
    except LongshoreError as error:
        if error.code == Code.DATABASE_UNAVAILABLE:
            raise
        return error
    return None
