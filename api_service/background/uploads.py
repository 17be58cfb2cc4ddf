"""Cancels the uploads that ended imports left at the target, for example after a worker was killed.

Why: docs/decisions/0049.
"""

import asyncio

import structlog

from shared.db.database import Database
from shared.db.uploads import target_uploads
from shared.db.uploads.target_uploads import Backoff, LeftUpload
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import gather_bounded
from shared.runtime.condition import Condition
from shared.target.management import TargetManagement

# Between two rounds. Seconds; an upload has to be cancelled within a minute after its import.
INTERVAL = 5.0
# Until an upload is looked at again: it is over when the target no longer has it, because a request of a worker that
# has not noticed the end yet may write once more, and because the target may fail. An account that may not cancel
# uploads must not cost the target many requests. Seconds.
AGAIN = Backoff(first=10.0, most=300.0)
# Uploads of one round, and requests at a time: the target serves imports meanwhile.
BATCH = 200
AT_ONCE = 8

_logger = structlog.get_logger(__name__)


class UploadCleaner:
    """Runs rounds; several API instances share the uploads."""

    def __init__(self, database: Database, target: TargetManagement, *, registry: str) -> None:
        """`registry` is the target's name in the database."""
        self._database = database
        self._target = target
        self._registry = registry
        self._condition = Condition("uploads.clean")
        # Its first reason is logged: an account without the permission to cancel uploads would log each of them.
        self._refusals = Condition("uploads.cancel")

    async def run(self) -> None:
        """Run rounds until cancelled."""
        while True:
            try:
                await self.clean()
                self._condition.up()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(INTERVAL)

    async def clean(self) -> None:
        """Do one round, in which an upload that cannot be cancelled holds up no other; `database_unavailable`."""
        async with self._database.connection() as connection:
            left = await target_uploads.take_left(connection, self._registry, limit=BATCH, again=AGAIN)
        looked_at = await gather_bounded(self._discard, left, AT_ONCE)
        over = [upload.address for upload in looked_at if upload]
        if over:
            async with self._database.connection() as connection:
                await target_uploads.remove(connection, over)

    async def _discard(self, upload: LeftUpload) -> LeftUpload | None:
        """Have the target drop an upload; return it if nothing is left to do."""
        try:
            over = await self._target.discard_upload(upload.repository, upload.address)
        except LongshoreError as error:
            self._refusals.down(error)
            return None
        except Exception:
            # A row that a worker should not have written, or a defect.
            _logger.exception("upload.not_cancelled", repository=upload.repository)
            return None
        self._refusals.up()
        return upload if over else None
