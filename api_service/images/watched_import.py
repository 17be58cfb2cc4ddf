"""Reads the import of one image for all of its event streams."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass

import structlog

from api_service.images.import_details import ImportDetails, ImportSnapshot
from shared.db import imports
from shared.db.deadline import deadline
from shared.db.notifications import Notifications
from shared.errors.error import LongshoreError

# Notifications are hints; if one is lost, streams are late by at most this long. Seconds.
POLL_INTERVAL = 2.0
# One read waits this long for the database: a stream outlives its request's deadline. Seconds.
READ_DEADLINE = 4.5
# Between two events of a stream, however often a worker reports. Seconds.
MIN_INTERVAL = 0.25

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsEvent:
    """The details, and the text of their event."""

    details: ImportDetails
    text: bytes


class WatchedImport:
    """Reads an import while streams follow it: once per change, and one read at a time.

    `read` returns the state or raises `image_not_found`; `write` returns the details as an event. It is called once per
    change for all streams that see the content, and once for all that do not.
    """

    def __init__(
        self,
        image_id: int,
        *,
        read: Callable[[int], Awaitable[ImportSnapshot]],
        write: Callable[[ImportDetails], bytes],
        closing: asyncio.Event,
    ) -> None:
        self._image_id = image_id
        self._read = read
        self._write = write
        self._closing = closing
        self._events: dict[bool, tuple[ImportSnapshot, DetailsEvent]] = {}
        self._asked = asyncio.Event()
        self._answer: asyncio.Future[ImportSnapshot | None] | None = None
        self._changed = asyncio.Event()
        self._snapshot: ImportSnapshot | None = None
        self.readers = 0
        """The streams that follow the import."""
        self.ended = False
        """Whether it is not read any more."""

    async def fresh(self) -> ImportSnapshot | None:
        """Return a state that is not older than the call; None if the import ended meanwhile.

        All callers that ask during one read share the next one. Raises the error of that read.
        """
        if self.ended:
            return None
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        self._asked.set()
        # Shielded, because one stream that ends must not cancel the answer of the others.
        return await asyncio.shield(self._answer)

    async def wait_for_change(self, seen: ImportSnapshot) -> ImportSnapshot | None:
        """Wait until the state differs from the seen one, at most for a poll's interval.

        Returns the newest state; None if no other will follow.
        """
        if self._snapshot is seen and not self.ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._changed.wait()
        return None if self.ended and self._snapshot is seen else self._snapshot

    def event(self, snapshot: ImportSnapshot, *, hidden: bool) -> DetailsEvent:
        """Return the event of a state; it is the same object while it shows the same."""
        written = self._events.get(hidden)
        if written and written[0] is snapshot:
            return written[1]
        details = snapshot.view(hidden=hidden)
        same = written is not None and written[1].details == details
        event = written[1] if written and same else DetailsEvent(details=details, text=self._write(details))
        self._events[hidden] = (snapshot, event)
        return event

    def start(self, notifications: Notifications) -> asyncio.Task[None]:
        """Begin to read, in a task that ends by itself or by `stop`."""
        # In an empty context: the reads have a deadline of their own, not that of the first stream's request.
        self._task = asyncio.create_task(self._run(notifications), context=Context())
        return self._task

    def stop(self) -> None:
        """End without another read."""
        self.ended = True
        self._task.cancel()

    async def _run(self, notifications: Notifications) -> None:
        """Read until the details are final, the image is gone, the feed closes, or the task is cancelled."""
        try:
            with notifications.watch(imports.CHANNEL, str(self._image_id)) as hint:
                while await self._refresh() and not self._closing.is_set():
                    await self._pause(hint)
        finally:
            self.ended = True
            self._changed.set()
            _resolve(self._answer, None)

    async def _refresh(self) -> bool:
        """Read the state, and return whether another may follow. While the database is away, the last one stays."""
        self._asked.clear()
        answer, self._answer = self._answer, None
        try:
            with deadline(READ_DEADLINE):
                snapshot = await self._read(self._image_id)
        except Exception as error:
            _fail(answer, error)
            if isinstance(error, LongshoreError) and error.kind.retryable:
                return True
            self._publish(None)
            if not isinstance(error, LongshoreError):
                _logger.exception("stream.failed", image_id=self._image_id)
            return False
        except asyncio.CancelledError:
            _resolve(answer, None)
            raise
        self._publish(snapshot)
        _resolve(answer, snapshot)
        return not snapshot.details.final

    def _publish(self, snapshot: ImportSnapshot | None) -> None:
        if snapshot != self._snapshot:
            self._snapshot = snapshot
            self._changed.set()
            self._changed = asyncio.Event()

    async def _pause(self, hint: asyncio.Event) -> None:
        """Wait for a hint or the next poll, at least the shortest interval, at most until a stream begins."""
        await _first_of(self._closing, self._asked, timeout=MIN_INTERVAL)
        await _first_of(self._closing, self._asked, hint, timeout=POLL_INTERVAL - MIN_INTERVAL)
        hint.clear()


def _resolve(answer: asyncio.Future[ImportSnapshot | None] | None, snapshot: ImportSnapshot | None) -> None:
    if answer and not answer.done():
        answer.set_result(snapshot)


def _fail(answer: asyncio.Future[ImportSnapshot | None] | None, error: Exception) -> None:
    if answer:
        answer.set_exception(error)
        answer.exception()  # Mark it as seen, or asyncio reports it when all streams were cancelled.


async def _first_of(*events: asyncio.Event, timeout: float) -> None:  # noqa: ASYNC109 - its end is no error
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
