"""Goes on with deletions that were begun and then left: by a process that ended, or because the target failed.

Every API instance runs one; the images' leases share the work out.
"""

import asyncio

import structlog

from api_service.images.deletion.begin import resume_deletion
from api_service.images.deletion.carry_out import DeletionWork
from shared.db import deletions
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.condition import Condition

# How often it looks. Seconds.
INTERVAL = 2.0
# Deletions of one round, one after the other; what is left is found in the next.
BATCH = 20

_logger = structlog.get_logger(__name__)


class DeletionFinisher:
    """The loop."""

    def __init__(self, work: DeletionWork) -> None:
        self._work = work
        self._condition = Condition("deletions")

    async def run(self) -> None:
        """Look for ever."""
        while True:
            try:
                await finish_deletions(self._work)
                self._condition.up()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(INTERVAL)


async def finish_deletions(work: DeletionWork) -> None:
    """Do one round; raises `database_unavailable`."""
    async with work.database.connection() as connection:
        left = await deletions.interrupted(connection, BATCH)
    for image_id in left:
        begun = await resume_deletion(work.database, image_id)
        if begun is None:
            continue
        try:
            await work.carry_out(begun)
        except LongshoreError as error:
            if error.code == Code.DATABASE_UNAVAILABLE:
                raise
            _logger.warning("image.not_deleted", image_id=image_id, reason=str(error))
