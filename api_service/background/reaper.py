"""The reaper: takes imports back from lost workers. Why: docs/decisions/0002 and 0052."""

import asyncio

import structlog

from api_service.background.sweep import sweep
from api_service.imports.attempt.fail import fail_import
from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.retry_policy import RetryPolicy
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import import_states, imports
from shared.db.imports import ExpiredLease, Import
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import ImportState
from shared.runtime.condition import Condition

# Between two rounds. Together with the lease, it bounds how long a lost worker's import makes no progress. Seconds.
INTERVAL = 2.0

_logger = structlog.get_logger(__name__)


class Reaper:
    """Runs rounds in every API process; they share the expired leases."""

    def __init__(self, queue: ImportQueue, retries: RetryPolicy, *, grace: float) -> None:
        """`grace` is the time that workers get to report after an outage of the API or the database, in seconds."""
        self._queue = queue
        self._retries = retries
        self._grace = grace
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
            await reap(self._queue, self._retries)
            self._condition.up()
            await asyncio.sleep(INTERVAL)


async def reap(queue: ImportQueue, retries: RetryPolicy) -> None:
    """Take back each import whose lease has expired; raises `database_unavailable`.

    Each is a transaction of its own, so that one that cannot be taken back (its image is locked for long, for example)
    delays no other by more than its own time limit.
    """

    async def find(after: ExpiredLease | None, limit: int) -> list[ExpiredLease]:
        async with queue.transaction() as transaction:
            return await imports.expired_leases(transaction.connection, after=after, limit=limit)

    async def take_back(lease: ExpiredLease) -> None:
        if end := await _take_back(queue, retries, lease):
            events.lease_lost(end)

    await sweep(find, take_back, check=queue.check, failed="import.not_taken_back")


async def _take_back(queue: ImportQueue, retries: RetryPolicy, lease: ExpiredLease) -> AttemptEnd | None:
    """Return the attempt's end; None if it was renewed or taken back meanwhile, or is locked at this moment."""
    async with queue.transaction() as transaction:
        lost = await imports.lock_expired(transaction.connection, lease.import_id)
        return await _end_attempt(transaction, lost, retries) if lost else None


async def _end_attempt(transaction: QueueTransaction, lost: Import, retries: RetryPolicy) -> AttemptEnd:
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
