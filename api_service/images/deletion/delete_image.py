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
from shared.target.removal import Removal

# How long a request waits for all of a deletion. Seconds; a request answers within five, whatever the target does.
PATIENCE = 4.7

_logger = structlog.get_logger(__name__)


class ImageDeletion:
    """Deletes images, from the target and from the list; what a slow target holds up goes on without its request."""

    def __init__(self, *, work: DeletionWork) -> None:
        self.work = work
        self._under_way: set[asyncio.Task[Removal]] = set()

    async def delete(self, image_id: int, by: Identity) -> Removal:
        """Delete an image and return what went from the target.

        Raises `image_not_found`, `forbidden`, `import_finishing`, `image_being_deleted`, what the target says, and
        `deletion_unfinished` where it does not say it in time.
        """
        give_up = monotonic() + PATIENCE
        task = self._carry_out(await begin_deletion(self.work.database, image_id, by))
        try:
            await asyncio.wait({task}, timeout=max(0.0, give_up - monotonic()))
        except asyncio.CancelledError:
            task.cancel()
            raise
        if not task.done():
            task.add_done_callback(_log_end)
            raise LongshoreError(
                Code.DELETION_UNFINISHED, "The target is slow; the deletion goes on.", retry_after=DELETION_RETRY_AFTER
            )
        return task.result()

    async def close(self) -> None:
        """Leave what is under way to whoever finishes deletions."""
        await cancel_all(list(self._under_way))

    def _carry_out(self, begun: BegunDeletion) -> asyncio.Task[Removal]:
        task = asyncio.create_task(self.work.carry_out(begun))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task


def _log_end(task: asyncio.Task[Removal]) -> None:
    error = None if task.cancelled() else task.exception()
    if error:
        _logger.warning("image.not_deleted", reason=str(error))
