"""Writes the audit log: to the database before the answer is sent, and to the process's log."""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from time import monotonic
from typing import Any

import structlog

from shared.db.access.audit import AuditEvent, insert_events
from shared.db.database import Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.runtime.concurrency import cancel_all
from shared.runtime.condition import describe

# Characters of a text in a row: the longest object is `repository:tag` with 384; the rest of a longer one is cut off.
MAX_TEXT = 512
# How long events are kept unless a setting says otherwise: a year, so that a yearly review sees all of them. A hundred
# events a day are then 36,500 rows of about 300 bytes, with their indexes about 20 MB. Days.
KEPT_DAYS = 365
# Rows of requests without a valid token that one process writes in a minute: enough to see an attack, few enough that a
# flood fills 15 MB a day at most. Above it, requests are counted, and the number is logged.
MAX_UNPROVED = 60
UNPROVED_PERIOD = 60.0
# Rows of one statement; more would hold up the answers of the first of them.
BATCH = 500

_FIELDS = tuple(field.name for field in fields(AuditEvent))
_in_order = attrgetter(*_FIELDS)

_logger = structlog.get_logger("api_service.audit")


class AuditWriter:
    """Stores events. While one statement runs, further events collect for the next: a busy service shares commits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[AuditEvent, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._unproved = _Unproved()

    async def write(self, event: AuditEvent, *, within: float) -> None:
        """Store and log an event; one that is not stored within so many seconds is only logged. Never raises.

        An event without an identity may only be counted.
        """
        event = _clean(event)
        if event.user_name is None and not self._unproved.admit():
            return
        try:
            async with asyncio.timeout(within):
                await self._store(event)
        except (TimeoutError, LongshoreError) as error:
            _logger.warning("audit.not_stored", **_values(event), reason=describe(error))
        except asyncio.CancelledError:
            _logger.warning("audit.not_stored", **_values(event), reason="the service stops")
            raise
        else:
            _logger.info("audit", **_values(event))

    async def close(self) -> None:
        """Log the number of requests that were only counted, and end a statement that no request waits for."""
        self._unproved.report()
        if self._writing:
            await cancel_all([self._writing])

    async def _store(self, event: AuditEvent) -> None:
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, stored))
        if self._writing is None:
            # In an empty context: the statement belongs to no request, and has no request's deadline.
            self._writing = asyncio.create_task(self._write_waiting(), context=Context())
        await stored

    async def _write_waiting(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._write_batch(batch)
        finally:
            self._writing = None

    async def _write_batch(self, batch: Sequence[tuple[AuditEvent, asyncio.Future[None]]]) -> None:
        failure: Exception | None = None
        try:
            async with self._database.connection() as connection:
                await insert_events(connection, [event for event, _ in batch])
        except LongshoreError as error:
            failure = error
        except Exception as error:
            # Such as a missing table: it must not keep the answers back, whose requests have been carried out.
            _logger.exception("audit.failed")
            failure = LongshoreError(Code.INTERNAL_ERROR, type(error).__name__)
        for _, stored in batch:
            _settle(stored, failure)


@dataclass(slots=True)
class _Unproved:
    """Counts events without an identity in periods; `left_out` were not stored in this one."""

    ends: float = 0.0
    admitted: int = 0
    left_out: int = 0

    def admit(self) -> bool:
        if monotonic() >= self.ends:
            self.report()
            self.ends, self.admitted = monotonic() + UNPROVED_PERIOD, 0
        if self.admitted < MAX_UNPROVED:
            self.admitted += 1
            return True
        if not self.left_out:
            asyncio.get_running_loop().call_later(self.ends - monotonic(), self.report)
        self.left_out += 1
        return False

    def report(self) -> None:
        if self.left_out:
            _logger.warning("audit.left_out", requests=self.left_out, reason="no valid token")
            self.left_out = 0


def _settle(stored: asyncio.Future[None], failure: Exception | None) -> None:
    if stored.done():
        # Its request waits no more.
        return
    if failure:
        stored.set_exception(failure)
    else:
        stored.set_result(None)


def _clean(event: AuditEvent) -> AuditEvent:
    """Shorten texts, and escape what cannot be printed: it could not be stored, or would mislead a reader."""
    changed: dict[str, Any] = {
        name: _printable(value)
        for name, value in _values(event).items()
        if isinstance(value, str) and not (value.isprintable() and len(value) <= MAX_TEXT)
    }
    return replace(event, **changed) if changed else event


def _values(event: AuditEvent) -> dict[str, Any]:
    """Return the fields by name. `asdict` also copies what is inside of them, which takes ten times as long."""
    return dict(zip(_FIELDS, _in_order(event), strict=True))


def _printable(text: str) -> str:
    shown = text[:MAX_TEXT]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in shown)
    return shown if len(text) <= MAX_TEXT and len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"
