"""Follows the details of imports, for event streams."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager

from api_service.auth.identity import Identity
from api_service.images.import_details import ImportDetails, ImportDetailsReader
from shared.db import imports
from shared.db.deadline import deadline
from shared.db.notifications import Notifications
from shared.errors.error import LongshoreError

# Notifications are hints; if one is lost, a stream is late by at most this long. Seconds.
POLL_INTERVAL = 2.0
# One read waits this long for the database: a stream outlives its request's deadline. Seconds.
READ_DEADLINE = 4.5
# Between two events of a stream, however often a worker reports. Seconds.
MIN_INTERVAL = 0.25
# Open streams of one process; each costs a query per poll. A stream above the limit ends after its first event, and its
# reader reconnects later.
MAX_STREAMS = 500


class ImportFeed:
    """Follows imports for at most MAX_STREAMS readers at a time."""

    def __init__(self, *, details: ImportDetailsReader, notifications: Notifications) -> None:
        self._details = details
        self._notifications = notifications
        self._closing = asyncio.Event()
        self._readers = 0

    def close(self) -> None:
        """End every stream after its current event."""
        self._closing.set()

    @property
    def readers(self) -> int:
        """The number of open streams."""
        return self._readers

    @contextmanager
    def reserve(self) -> Iterator[bool]:
        """Count a stream while it is open; yields whether it is within the limit."""
        self._readers += 1
        try:
            yield self._readers <= MAX_STREAMS
        finally:
            self._readers -= 1

    async def read(self, image_id: int, by: Identity) -> ImportDetails:
        """Return the current details; raises `image_not_found`."""
        return await self._details.read(image_id, by)

    async def follow(
        self, image_id: int, by: Identity, sent: ImportDetails, *, wanted: Callable[[], Awaitable[bool]]
    ) -> AsyncGenerator[ImportDetails, None]:
        """Yield the details after each change, until they are final, the image is gone, or the feed closes.

        `sent` are the details that the reader has; `wanted` returns whether the reader is still connected, and
        may still read; it is called before each read, within its deadline.
        """
        with self._notifications.watch(imports.CHANNEL, str(image_id)) as changed:
            while not sent.final and not self._closing.is_set():
                await self._pause(changed)
                seen = await self._read_again(image_id, by, sent, wanted)
                if seen is None:
                    return
                if seen != sent:
                    sent = seen
                    yield sent

    async def _read_again(
        self, image_id: int, by: Identity, sent: ImportDetails, wanted: Callable[[], Awaitable[bool]]
    ) -> ImportDetails | None:
        """Read the details again.

        Returns the old ones while the database is unavailable, None for a deleted image or an unwanted stream.
        """
        try:
            with deadline(READ_DEADLINE):
                return await self._details.read(image_id, by) if await wanted() else None
        except LongshoreError as error:
            return sent if error.kind.retryable else None

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
