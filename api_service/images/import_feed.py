"""Importing details as they change, for event streams."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

from api_service.images.import_details import ImportDetails, ImportDetailsReader
from shared.db import imports
from shared.db.deadline import deadline
from shared.db.notifications import Notifications
from shared.errors.error import LongshoreError

# Notifications are hints; this is how old a stream's news can be when one is lost. Seconds.
POLL_INTERVAL = 2.0
# What one look may wait for the database: a stream outlives the deadline of its request. Seconds.
LOOK_DEADLINE = 4.5
# No stream tells more often than that, however often a worker reports. Seconds.
MIN_INTERVAL = 0.25
# Open streams of one process; each costs a query a poll. Above it a stream ends after its first event, and its
# reader comes back after a while.
MAX_STREAMS = 500


class ImportFeed:
    """Follows imports for as many readers as there are places."""

    def __init__(self, *, details: ImportDetailsReader, notifications: Notifications) -> None:
        self._details = details
        self._notifications = notifications
        self._closing = asyncio.Event()
        self._readers = 0

    def close(self) -> None:
        """End every stream after what it is telling."""
        self._closing.set()

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return self._readers

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Hold one of the places for a stream; the value tells whether there was one."""
        self._readers += 1
        try:
            yield self._readers <= MAX_STREAMS
        finally:
            self._readers -= 1

    async def look(self, image_id: int) -> ImportDetails:
        """Return the details as they are; raises `image_not_found`."""
        return await self._details.read(image_id)

    async def follow(
        self, image_id: int, told: ImportDetails, *, wanted: Callable[[], bool]
    ) -> AsyncGenerator[ImportDetails, None]:
        """Yield the details after each change, until they are final, the image is gone, or the feed closes.

        `told` is what the reader knows already; `wanted` says, at every look, whether there still is a reader.
        """
        with self._notifications.watch(imports.CHANNEL, str(image_id)) as changed:
            while not told.final and not self._closing.is_set() and wanted():
                await self._pause(changed)
                seen = await self._look_again(image_id, told)
                if seen is None:
                    return
                if seen != told:
                    told = seen
                    yield told

    async def _look_again(self, image_id: int, told: ImportDetails) -> ImportDetails | None:
        """Look again; while the database is away there is no news, and no image where it was deleted."""
        try:
            with deadline(LOOK_DEADLINE):
                return await self._details.read(image_id)
        except LongshoreError as error:
            return told if error.kind.retryable else None

    async def _pause(self, changed: asyncio.Event) -> None:
        """Wait for a hint or the next poll, at least the shortest interval, at most until the feed closes."""
        await _first_of(self._closing, timeout=MIN_INTERVAL)
        await _first_of(self._closing, changed, timeout=POLL_INTERVAL - MIN_INTERVAL)
        changed.clear()


async def _first_of(*events: asyncio.Event, timeout: float) -> None:  # noqa: ASYNC109 - its end is no error
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
