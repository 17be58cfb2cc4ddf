"""The use case behind PUT /images:import/:name/progress: store a worker's report, and answer to go on or to stop."""

from dataclasses import dataclass

import structlog

from api_service.imports.attempt.fail import fail_import
from api_service.imports.attempt.held_import import check_claim, excusing_lost_lease, lock_named
from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.merge_layers import MergedLayers, merge_layers
from api_service.imports.retry_policy import GiveUp, RetryPolicy, TryAgain
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import deletions, images, import_progress, import_states
from shared.db.database import Connection, Database
from shared.db.import_progress import get_reported_layers, put_layers
from shared.db.imports import Import
from shared.db.outbox import WakeUpReason
from shared.db.tags import tag_writes
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.errors.kinds import ERROR_KINDS
from shared.messages.action import Action
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.claim import same_claim
from shared.model.image_content import ImageContent
from shared.model.states import ImportState

# Sent as Retry-After while a deletion in the repository keeps a worker from writing its tag. Seconds.
REPOSITORY_RETRY_AFTER = 2.0
# An import that a worker of an older release took waits this long, so that another worker may get it. Seconds.
SENT_BACK_FOR = 10.0
SENT_BACK = "The worker is of an older release than the API: it did not ask for the import's terms."

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportApplier:
    """Applies workers' reports to their imports. Each report renews the worker's lease for `lease` seconds."""

    database: Database
    queue: ImportQueue
    retries: RetryPolicy
    lease: float

    async def apply(self, name: str, report: ProgressReport) -> Action:
        """Apply the report in one transaction.

        Raises `import_not_found`, `import_superseded` if the import is no longer this attempt's, and `repository_busy`
        for a tag that has to wait. A report that was applied before, or is older than the newest one, changes nothing.
        """
        async with excusing_lost_lease(self.database, name):
            return await self._apply(name, report)

    async def _apply(self, name: str, report: ProgressReport) -> Action:
        async with self.queue.transaction() as transaction:
            connection = transaction.connection
            found = await lock_named(connection, name)
            if _is_repeated(found, report):
                return Action.CONTINUE if found.state is ImportState.RUNNING else Action.STOP
            check_claim(found, report)
            merged, end = await self._apply_new(transaction, found, report)
        if merged:
            events.layers_completed(merged.completed)
        if end is None:
            return Action.CONTINUE
        events.attempt_ended(end)
        _logger.info("import.attempt_ended", import_name=found.name, attempt=found.attempt, state=report.state.value)
        return Action.STOP

    async def _apply_new(
        self, transaction: QueueTransaction, found: Import, report: ProgressReport
    ) -> tuple[MergedLayers | None, AttemptEnd | None]:
        """Apply a report of the attempt that holds the import; return what it changed, and the attempt's end if any."""
        if _is_without_terms(found, report):
            return None, await _send_back(transaction, found)
        if report.state is ReportedState.TAGGING:
            await _check_no_deletion(transaction.connection, found)
        merged = await self._store(transaction.connection, found, report)
        return merged, await self._end_attempt(transaction, found, report)

    async def _store(self, connection: Connection, found: Import, report: ProgressReport) -> MergedLayers:
        # Of twenty thousand layers, a report concerns a few; to read and compare all would hold the event loop.
        ready = report.state is ReportedState.READY
        known, others = await get_reported_layers(connection, found.id, report.layers, unfinished=ready)
        merged = merge_layers(known, report, rate=found.rate, age=found.age, others=others)
        if merged.changed:
            count = len(known) + others.layers
            await put_layers(connection, found.id, merged.changed, known=known, count=count)
        await import_progress.record_progress(
            connection,
            found.id,
            sequence=report.sequence,
            lease=self.lease,
            movement=merged.movement,
            tagging=report.state in (ReportedState.TAGGING, ReportedState.READY),
            source_digest=report.source_digest,
            tag_digest=report.tag_digest,
        )
        return merged

    async def _end_attempt(
        self, transaction: QueueTransaction, found: Import, report: ProgressReport
    ) -> AttemptEnd | None:
        """End the attempt if the reported state is an end; return None if the attempt goes on."""
        if report.content:
            return await _finish_ready(transaction.connection, found, report.content)
        if report.error:
            return await self._retry_or_fail(transaction, found, report.error)
        if report.state is ReportedState.HANDED_BACK:
            await import_states.requeue(transaction.connection, found.id, failed=False)
            await transaction.wake_worker(found.id, WakeUpReason.HANDED_BACK)
            return AttemptEnd(state=ImportState.QUEUED)
        return None

    async def _retry_or_fail(self, transaction: QueueTransaction, found: Import, error: ReportedError) -> AttemptEnd:
        kind = ERROR_KINDS[error.code]
        match self.retries.decide(kind, failures=found.failures, retry_after=error.retry_after):
            case TryAgain(delay=delay, counted=counted):
                await import_states.park(
                    transaction.connection, found.id, delay=delay, code=error.code, detail=error.detail, failed=counted
                )
                await transaction.wake_worker(found.id, WakeUpReason.RETRY, delay=delay)
                return AttemptEnd(state=ImportState.WAITING, code=error.code)
            case GiveUp():
                return await fail_import(transaction.connection, found, code=error.code, detail=error.detail)


def _is_repeated(found: Import, report: ProgressReport) -> bool:
    return same_claim(found, report) and report.sequence <= found.sequence


def _is_without_terms(found: Import, report: ProgressReport) -> bool:
    """Return whether the worker copies without having asked for the attempt's terms, as an older release does.

    Heartbeats while it waits for them are in order, and so are a failure to get them, and handing the import back.
    """
    return not found.begun and (bool(report.layers) or report.state in (ReportedState.TAGGING, ReportedState.READY))


async def _send_back(transaction: QueueTransaction, found: Import) -> AttemptEnd:
    """Let the import wait for a worker of this release; the attempt does not count as a failure."""
    code = Code.API_REFUSED
    await import_states.park(
        transaction.connection, found.id, delay=SENT_BACK_FOR, code=code, detail=SENT_BACK, failed=False
    )
    await transaction.wake_worker(found.id, WakeUpReason.RETRY, delay=SENT_BACK_FOR)
    return AttemptEnd(state=ImportState.WAITING, code=code)


async def _check_no_deletion(connection: Connection, found: Import) -> None:
    """Raise `repository_busy` while an image of the repository is being deleted: the tag's manifest might be deleted.

    The worker reports again. After an answer without error, no deletion begins in the repository until this attempt has
    ended.
    """
    await deletions.lock_repository(connection, found.image_id)
    if await tag_writes.is_repairing(connection, found.image_id):
        raise LongshoreError(
            Code.REPOSITORY_BUSY, "A tag of this repository is being put right.", retry_after=REPOSITORY_RETRY_AFTER
        )
    if await deletions.under_way(connection, found.image_id):
        raise LongshoreError(
            Code.REPOSITORY_BUSY, "An image of this repository is being deleted.", retry_after=REPOSITORY_RETRY_AFTER
        )


async def _finish_ready(connection: Connection, found: Import, content: ImageContent) -> AttemptEnd:
    lifetime = await import_states.finish(connection, found.id, ImportState.READY, note=content.note)
    await images.mark_ready(connection, found.image_id, content, source=found.source, private=found.with_account)
    return AttemptEnd(state=ImportState.READY, lifetime=lifetime)
