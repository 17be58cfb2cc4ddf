"""The reaper: takes imports back from lost workers, repeats lost wake-ups, deletes old rows of outbox and audit log.

Why: docs/decisions/0002.
"""

import asyncio

import structlog

from api_service.audit.write_events import KEPT_DAYS
from api_service.imports.attempt.fail import fail_import
from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.retry_policy import RetryPolicy
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import image_counts, import_states, imports, outbox
from shared.db.access import audit
from shared.db.database import try_lead
from shared.db.imports import Import
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import ImportState
from shared.runtime.condition import Condition

# Between two rounds. Together with the lease, it bounds how long a lost worker's import makes no progress. Seconds.
INTERVAL = 2.0
# After an import has been due this long with no message under way, its wake-up is repeated. Seconds. If the message
# still waits in the queue for a free worker, the repetition costs that worker one query.
OVERLOOKED_AFTER = 60.0
# How long published rows are kept, for the analysis of incidents. Seconds.
OUTBOX_KEPT = 24 * 3_600.0
# Rows of one transaction; the next round handles the rest.
BATCH = 100
# Events of the audit log, which are deleted without being read: 500 a second are more than any service adds for long.
AUDIT_BATCH = 1_000
# The number of an advisory lock: one API instance reaps at a time.
LEADER_LOCK = 7_265_102

_logger = structlog.get_logger(__name__)


class Reaper:
    """Runs rounds; each round is one transaction, so that a crash leaves nothing half done."""

    def __init__(self, queue: ImportQueue, retries: RetryPolicy, *, grace: float, audit_days: int = KEPT_DAYS) -> None:
        """`grace` is the time that workers get to report after an outage of the API or the database, in seconds.

        Events of the audit log are kept for `audit_days`.
        """
        self._queue = queue
        self._retries = retries
        self._grace = grace
        self._audit_days = audit_days
        self._condition = Condition("reaper")

    async def run(self) -> None:
        """Run rounds until cancelled.

        While the API or the database was unavailable, no worker could renew its lease: each worker gets the grace to
        do so before its imports are taken back.
        """
        while True:
            await asyncio.sleep(self._grace)
            try:
                await self._reap_until_error()
            except LongshoreError as error:
                self._condition.down(error)

    async def _reap_until_error(self) -> None:
        while True:
            await reap(self._queue, self._retries, audit_days=self._audit_days)
            self._condition.up()
            await asyncio.sleep(INTERVAL)


async def reap(
    queue: ImportQueue,
    retries: RetryPolicy,
    *,
    overlooked_after: float = OVERLOOKED_AFTER,
    audit_days: int = KEPT_DAYS,
) -> None:
    """Do one round, unless another instance is doing one; raises `database_unavailable`."""
    async with queue.transaction() as transaction:
        connection = transaction.connection
        if not await try_lead(connection, LEADER_LOCK):
            return
        expired = await imports.lock_expired(connection, BATCH)
        ends = [await _take_back(transaction, lost, retries) for lost in expired]
        for import_id in await imports.overlooked(connection, after=overlooked_after, limit=BATCH):
            await transaction.wake_worker(import_id, WakeUpReason.REPUBLISHED)
        await outbox.purge(connection, older_than=OUTBOX_KEPT)
        await audit.purge_events(connection, days=audit_days, limit=AUDIT_BATCH)
        await image_counts.compact_counts(connection)
        await image_counts.compact_periods(connection)
    for end in ends:
        events.lease_lost(end)


async def _take_back(transaction: QueueTransaction, lost: Import, retries: RetryPolicy) -> AttemptEnd:
    """Queue an import whose worker stopped reporting, or end it if that has happened too often."""
    code = Code.WORKER_LOST
    if retries.exhausted(lost.failures):
        detail = f"{lost.failures + 1} attempts ended, the last because its worker stopped reporting."
        end = await fail_import(transaction.connection, lost, code=code, detail=detail)
    else:
        await import_states.requeue(transaction.connection, lost.id, failed=True)
        await transaction.wake_worker(lost.id, WakeUpReason.LEASE_LOST)
        end = AttemptEnd(state=ImportState.QUEUED, code=code)
    _logger.warning("import.lease_lost", import_name=lost.name, attempt=lost.attempt, failures=lost.failures + 1)
    return end
