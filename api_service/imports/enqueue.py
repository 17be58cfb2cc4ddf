"""Writing to the queue of imports. After every commit that added a wake-up, the relay of this process gets a hint."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from shared.db import outbox
from shared.db.database import Connection, Database
from shared.db.new_import import NewImage, NewImport, insert_first_import, insert_import
from shared.db.notifications import Notifications
from shared.db.outbox import WakeUpReason


class QueueTransaction:
    """A transaction that may add imports and wake-ups; `connection` is for its other statements."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.has_wake_ups = False

    async def add(self, image_id: int, new: NewImport, reason: WakeUpReason) -> None:
        """Add an import, and a wake-up for a worker, for an image whose row is locked."""
        await insert_import(self.connection, image_id, new, reason)
        self.has_wake_ups = True

    async def add_first(self, image: NewImage, new: NewImport) -> int | None:
        """Add an image with its import; return the image's id, or None if the target exists already."""
        image_id = await insert_first_import(self.connection, image, new)
        self.has_wake_ups = self.has_wake_ups or image_id is not None
        return image_id

    async def wake_worker(self, import_id: int, reason: WakeUpReason, *, delay: float = 0.0) -> None:
        """Add a wake-up that is due in `delay` seconds."""
        await outbox.add(self.connection, import_id, reason, delay=delay)
        self.has_wake_ups = True

    async def wake_workers(self, import_ids: Sequence[int], reason: WakeUpReason) -> None:
        """Add a wake-up for each of these imports, due at once."""
        if import_ids:
            await outbox.add_all(self.connection, import_ids, reason)
            self.has_wake_ups = True


class ImportQueue:
    """The only writer of the outbox, so that no use case can forget the hint."""

    def __init__(self, *, database: Database, notifications: Notifications) -> None:
        self._database = database
        self._notifications = notifications

    async def add_first(self, image: NewImage, new: NewImport, *, most_open: int) -> int | None:
        """Add an image with its import; return the image's id.

        Returns None if the target exists already, or if the requester has `most_open` open imports.
        """
        async with self._database.connection() as connection:
            image_id = await insert_first_import(connection, image, new, most_open=most_open)
        if image_id is not None:
            self._hint()
        return image_id

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[QueueTransaction]:
        """Open a transaction; the hint follows its commit if it added a wake-up."""
        async with self._database.transaction() as connection:
            transaction = QueueTransaction(connection)
            yield transaction
        if transaction.has_wake_ups:
            self._hint()

    async def check(self) -> None:
        """Query one row; raises `database_unavailable`."""
        await self._database.check()

    def _hint(self) -> None:
        self._notifications.hint(outbox.CHANNEL)
