"""Finds what nobody else would: imports of lost workers, wake-ups that went astray, old outbox rows."""

import asyncio

import structlog

from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.retry_policy import RetryPolicy
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import image_counts, images, import_states, imports, outbox
from shared.db.database import try_lead
from shared.db.imports import Import
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import ImportState
from shared.runtime.condition import Condition

# How often it looks. With the lease, this bounds how long a lost worker's import stands still. Seconds.
INTERVAL = 2.0
# An import that has been due this long with no message under way is told to the workers again. Seconds; a message
# that waits in the queue for a free worker is repeated too, which costs a look at its row.
OVERLOOKED_AFTER = 60.0
# Published rows are kept for people who look into what happened. Seconds.
OUTBOX_KEPT = 24 * 3_600.0
# Rows handled in one transaction; what is left is found in the next round.
BATCH = 100
# Any fixed number: of all API instances, one reaps at a time.
LEADER_LOCK = 7_265_102

_logger = structlog.get_logger(__name__)


class Reaper:
    """The loop; each round is one transaction, so that a crash leaves nothing half done."""

    def __init__(self, queue: ImportQueue, retries: RetryPolicy, *, grace: float) -> None:
        """Take how long workers have for a report after an outage of ours, in seconds: a lease's time."""
        self._queue = queue
        self._retries = retries
        self._grace = grace
        self._condition = Condition("reaper")

    async def run(self) -> None:
        """Look for ever.

        While this service or the database was away, no worker could renew its lease: each gets the time to do so
        before any import is taken from it.
        """
        while True:
            await asyncio.sleep(self._grace)
            try:
                await self._reap_until_trouble()
            except LongshoreError as error:
                self._condition.down(error)

    async def _reap_until_trouble(self) -> None:
        while True:
            await reap(self._queue, self._retries)
            self._condition.up()
            await asyncio.sleep(INTERVAL)


async def reap(queue: ImportQueue, retries: RetryPolicy, *, overlooked_after: float = OVERLOOKED_AFTER) -> None:
    """Do one round, unless another instance is at it; raises `database_unavailable`."""
    async with queue.transaction() as transaction:
        connection = transaction.connection
        if not await try_lead(connection, LEADER_LOCK):
            return
        expired = await imports.lock_expired(connection, BATCH)
        ends = [await _take_back(transaction, lost, retries) for lost in expired]
        for import_id in await imports.overlooked(connection, after=overlooked_after, limit=BATCH):
            await transaction.wake_worker(import_id, WakeUpReason.REPUBLISHED)
        await outbox.purge(connection, older_than=OUTBOX_KEPT)
        await image_counts.compact_counts(connection)
        await image_counts.compact_periods(connection)
    for end in ends:
        events.lease_lost(end)


async def _take_back(transaction: QueueTransaction, lost: Import, retries: RetryPolicy) -> AttemptEnd:
    """Give an import whose worker went silent to another one, or end it when that happened too often."""
    state, code, lifetime = ImportState.QUEUED, Code.WORKER_LOST, 0.0
    connection = transaction.connection
    if retries.exhausted(lost.failures):
        state = ImportState.FAILED
        detail = f"{lost.failures + 1} attempts ended, the last because its worker stopped reporting."
        lifetime = await import_states.finish(connection, lost.id, state, code=code, detail=detail)
        await images.mark_failed(connection, lost.image_id, tag_untouched=not lost.tagging)
    else:
        await import_states.requeue(connection, lost.id, failed=True)
        await transaction.wake_worker(lost.id, WakeUpReason.LEASE_LOST)
    _logger.warning("import.lease_lost", import_name=lost.name, attempt=lost.attempt, failures=lost.failures + 1)
    return AttemptEnd(state=state, code=code, lifetime=lifetime)
