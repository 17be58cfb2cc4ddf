"""Follows imports for event streams; the streams of one image share their work."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from api_service.auth.identity import Identity
from api_service.images.import_details import ImportDetails, ImportDetailsReader, ImportSnapshot
from api_service.images.stream_places import StreamPlaces
from api_service.images.watched_import import MIN_INTERVAL, READ_DEADLINE, DetailsEvent, WatchedImport
from shared.db.deadline import deadline
from shared.db.notifications import Notifications
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import cancel_all


class Followed:
    """An open stream's view of an import; `first` is its first event."""

    def __init__(
        self,
        details: ImportDetailsReader,
        watched: WatchedImport,
        *,
        snapshot: ImportSnapshot,
        first: DetailsEvent,
    ) -> None:
        self._details = details
        self._watched = watched
        self._seen = snapshot
        self.first = first

    async def changes(self, reader: Callable[[], Awaitable[Identity | None]]) -> AsyncGenerator[DetailsEvent, None]:
        """Yield an event after each change, until the details are final, the image is gone, or the feed closes.

        `reader` returns the stream's reader as its token names him at that moment, or None if he is gone or may read no
        more. It is called before each event, and at least once in a poll's interval.
        """
        sent = self.first
        while not sent.details.final:
            seen = await self._watched.wait_for_change(self._seen)
            if seen is None:
                return
            try:
                with deadline(READ_DEADLINE):
                    by = await reader()
                    if by is None:
                        return
                    event = self._watched.event(seen, hidden=await self._details.hides(seen, by))
            except LongshoreError as error:
                if not error.kind.retryable:
                    return
                # Without an answer about the token, nothing is sent; the state stays unseen until there is one.
                await asyncio.sleep(MIN_INTERVAL)
                continue
            self._seen = seen
            if event is not sent:
                sent = event
                yield sent
                await asyncio.sleep(0 if sent.details.final else MIN_INTERVAL)


class ImportFeed:
    """Follows imports. `write` returns details as an event's text; it is called once per change and view."""

    def __init__(
        self,
        *,
        details: ImportDetailsReader,
        notifications: Notifications,
        write: Callable[[ImportDetails], bytes],
    ) -> None:
        self._details = details
        self._notifications = notifications
        self._write = write
        self._closing = asyncio.Event()
        self._watched: dict[int, WatchedImport] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.places = StreamPlaces()

    def end_streams(self) -> None:
        """End every stream after its current event."""
        self._closing.set()

    async def close(self) -> None:
        """End every stream, and wait until nothing is read any more."""
        self.end_streams()
        await cancel_all(tuple(self._tasks))

    @asynccontextmanager
    async def follow(self, image_id: int, by: Identity) -> AsyncIterator[Followed]:
        """Follow an image's newest import; raises `image_not_found`."""
        while True:
            watched = self._begin(image_id)
            try:
                snapshot = await watched.fresh()
                if snapshot is not None:
                    first = watched.event(snapshot, hidden=await self._details.hides(snapshot, by))
                    yield Followed(self._details, watched, snapshot=snapshot, first=first)
                    return
            finally:
                self._end(image_id, watched)

    def _begin(self, image_id: int) -> WatchedImport:
        """Return the image's watched import, with one reader more."""
        watched = self._watched.get(image_id)
        if watched is None or watched.ended:
            watched = WatchedImport(image_id, read=self._details.snapshot, write=self._write, closing=self._closing)
            self._watched[image_id] = watched
            task = watched.start(self._notifications)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        watched.readers += 1
        return watched

    def _end(self, image_id: int, watched: WatchedImport) -> None:
        """Take a reader away; without readers, the import is not read any more."""
        watched.readers -= 1
        if watched.readers:
            return
        watched.stop()
        if self._watched.get(image_id) is watched:
            del self._watched[image_id]
