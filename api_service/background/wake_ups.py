"""Repeats lost wake-ups: a message in RabbitMQ may be lost at any time, the import's row decides."""

import asyncio

from api_service.imports.enqueue import ImportQueue
from shared.db import imports
from shared.db.database import try_lead
from shared.db.imports import DueImport
from shared.db.outbox import WakeUpReason
from shared.errors.error import LongshoreError
from shared.runtime.condition import Condition

# Between two rounds. Seconds.
INTERVAL = 2.0
# After an import has been due this long with no message under way, its wake-up is repeated. Seconds. If the message
# still waits in the queue for a free worker, the repetition costs that worker one query.
OVERLOOKED_AFTER = 60.0
# Due imports that a round looks at, in tens of milliseconds; the next round goes on behind them. With a million due
# imports all have been looked at after 17 minutes.
PAGE = 2_000
# The number of an advisory lock: one API instance repeats wake-ups at a time, so that none is repeated twice.
LEADER_LOCK = 7_265_102


class WakeUpRepeater:
    """Runs rounds, each over the next page of the due imports, the oldest first; then from the beginning."""

    def __init__(self, queue: ImportQueue, *, overlooked_after: float = OVERLOOKED_AFTER) -> None:
        """The wake-up of an import is repeated that has been due for `overlooked_after` seconds without a message."""
        self._queue = queue
        self._overlooked_after = overlooked_after
        self._last: DueImport | None = None
        self._condition = Condition("wake_ups")

    async def run(self) -> None:
        """Run rounds until cancelled."""
        while True:
            try:
                await self.repeat()
                self._condition.up()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(INTERVAL)

    async def repeat(self) -> None:
        """Do one round, unless another instance is doing one; raises `database_unavailable`."""
        async with self._queue.transaction() as transaction:
            if not await try_lead(transaction.connection, LEADER_LOCK):
                return
            page = await imports.due_imports(
                transaction.connection, due_for=self._overlooked_after, after=self._last, limit=PAGE
            )
            overlooked = [each.id for each in page if each.overlooked]
            await transaction.wake_workers(overlooked, WakeUpReason.REPUBLISHED)
        self._last = page[-1] if len(page) == PAGE else None
