"""Resumes deletions that a process left when it ended, or that the target failed during.

Every API instance runs the loop; the images' leases distribute the work.
"""

import asyncio

import structlog

from api_service.images.deletion.begin import resume_deletion
from api_service.images.deletion.carry_out import DeletionWork
from shared.db import deletions
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.condition import Condition

# Between two rounds. Seconds.
INTERVAL = 2.0
# Deletions of one round, one after the other; the next round finds the rest.
BATCH = 20

_logger = structlog.get_logger(__name__)


class DeletionResumer:
    """The loop that makes the rounds."""

    def __init__(self, work: DeletionWork) -> None:
        self._work = work
        self._condition = Condition("deletions")

    async def run(self) -> None:
        """Make rounds until cancelled."""
        while True:
            try:
                await resume_deletions(self._work)
                self._condition.up()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(INTERVAL)


async def resume_deletions(work: DeletionWork) -> None:
    """Make one round; raises `database_unavailable`."""
    async with work.database.connection() as connection:
        interrupted = await deletions.interrupted(connection, BATCH)
    for image_id in interrupted:
        begun = await resume_deletion(work.database, image_id)
        if begun is None:
            continue
        try:
            await work.carry_out(begun)
        except LongshoreError as error:
            if error.code == Code.DATABASE_UNAVAILABLE:
                raise
            _logger.warning("deletion.failed", image_id=image_id, reason=str(error))
