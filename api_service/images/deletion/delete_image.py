"""The use case behind DELETE /images/:id."""

import asyncio
from time import monotonic

import structlog

from api_service.auth.identity import Identity
from api_service.images.checks import DELETION_RETRY_AFTER
from api_service.images.deletion.begin import BegunDeletion, begin_deletion
from api_service.images.deletion.carry_out import DeletionWork
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import cancel_all
from shared.target.management import Removal

# A request waits this long for a whole deletion. Seconds; the API answers within five, however slow the target is.
DELETION_DEADLINE = 4.7

_logger = structlog.get_logger(__name__)


class ImageDeletion:
    """Deletes images from the target and the database; a deletion that a slow target delays outlives its request."""

    def __init__(self, *, work: DeletionWork) -> None:
        self.work = work
        self._running: set[asyncio.Task[Removal]] = set()

    async def delete(self, image_id: int, by: Identity) -> Removal:
        """Delete an image and return what was removed from the target.

        Raises `image_not_found`, `forbidden`, `import_finishing`, `image_being_deleted`, the target's errors, and
        `deletion_unfinished` if the target does not answer in time.
        """
        deadline = monotonic() + DELETION_DEADLINE
        task = self._carry_out(await begin_deletion(self.work.database, image_id, by))
        try:
            await asyncio.wait({task}, timeout=max(0.0, deadline - monotonic()))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.add_done_callback(_log_end)
            raise LongshoreError(
                Code.DELETION_UNFINISHED,
                "The target is slow; the deletion continues.",
                retry_after=DELETION_RETRY_AFTER,
            )
        return task.result()

    async def close(self) -> None:
        """Stop the running deletions; DeletionResumer finishes them later."""
        await cancel_all(list(self._running))

    def _carry_out(self, begun: BegunDeletion) -> asyncio.Task[Removal]:
        task = asyncio.create_task(self.work.carry_out(begun))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _log_end(task: asyncio.Task[Removal]) -> None:
    error = None if task.cancelled() else task.exception()
    if error:
        _logger.warning("deletion.failed", reason=str(error))
