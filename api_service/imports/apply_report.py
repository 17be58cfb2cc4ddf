"""The use case behind PUT /images:import/:name/progress: store a worker's report, and answer to go on or to stop."""

from dataclasses import dataclass

import structlog

from api_service.imports.enqueue import ImportQueue, QueueTransaction
from api_service.imports.merge_layers import MergedLayers, merge_layers
from api_service.imports.retry_policy import GiveUp, RetryPolicy, TryAgain
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import deletions, images, import_progress, import_states, imports, outbox
from shared.db.database import Connection, Database
from shared.db.import_progress import get_layers, put_layers
from shared.db.imports import Import
from shared.db.outbox import WakeUpReason
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.errors.kinds import ERROR_KINDS
from shared.messages.action import Action
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.states import ImportState

# Sent as Retry-After while a deletion in the repository keeps a worker from writing its tag. Seconds.
REPOSITORY_RETRY_AFTER = 2.0

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
        try:
            return await self._apply(name, report)
        except LongshoreError as error:
            if error.code == Code.IMPORT_SUPERSEDED:
                # The worker was not lost with this import, but cut off from the API for a while.
                async with self.database.connection() as connection:
                    await outbox.excuse_lost_lease(connection, name)
            raise

    async def _apply(self, name: str, report: ProgressReport) -> Action:
        async with self.queue.transaction() as transaction:
            connection = transaction.connection
            found = await imports.lock_import(connection, name)
            if found is None:
                raise LongshoreError(Code.IMPORT_NOT_FOUND, f"There is no import {name}.")
            if _is_repeated(found, report):
                return Action.CONTINUE if found.state is ImportState.RUNNING else Action.STOP
            _check_fence(found, report)
            if report.state is ReportedState.TAGGING:
                await _check_no_deletion(connection, found)
            merged = await self._store(connection, found, report)
            end = await self._end_attempt(transaction, found, report)
        events.layers_completed(merged.completed)
        if end is None:
            return Action.CONTINUE
        events.attempt_ended(end)
        _logger.info("import.attempt_ended", import_name=found.name, attempt=found.attempt, state=report.state.value)
        return Action.STOP

    async def _store(self, connection: Connection, found: Import, report: ProgressReport) -> MergedLayers:
        known = await get_layers(connection, found.id)
        merged = merge_layers(known, report, rate=found.rate, age=found.age)
        if merged.changed:
            await put_layers(connection, found.id, merged.changed, known=known)
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
                return await _finish_failed(transaction.connection, found, error)


def _is_repeated(found: Import, report: ProgressReport) -> bool:
    return report.attempt == found.attempt and report.sequence <= found.sequence


def _check_fence(found: Import, report: ProgressReport) -> None:
    if found.state is not ImportState.RUNNING:
        raise LongshoreError(Code.IMPORT_SUPERSEDED, f"The import {found.name} is {found.state.value}, not running.")
    if report.attempt != found.attempt:
        raise LongshoreError(
            Code.IMPORT_SUPERSEDED, f"The import {found.name} is at attempt {found.attempt}, not {report.attempt}."
        )


async def _check_no_deletion(connection: Connection, found: Import) -> None:
    """Raise `repository_busy` while an image of the repository is being deleted: the tag's manifest might be deleted.

    The worker reports again. After an answer without error, no deletion begins in the repository until this attempt has
    ended.
    """
    await deletions.lock_repository(connection, found.image_id)
    if await deletions.under_way(connection, found.image_id):
        raise LongshoreError(
            Code.REPOSITORY_BUSY, "An image of this repository is being deleted.", retry_after=REPOSITORY_RETRY_AFTER
        )


async def _finish_ready(connection: Connection, found: Import, content: ImageContent) -> AttemptEnd:
    lifetime = await import_states.finish(connection, found.id, ImportState.READY, note=content.note)
    await images.mark_ready(connection, found.image_id, content)
    return AttemptEnd(state=ImportState.READY, lifetime=lifetime)


async def _finish_failed(connection: Connection, found: Import, error: ReportedError) -> AttemptEnd:
    state = ImportState.FAILED
    lifetime = await import_states.finish(connection, found.id, state, code=error.code, detail=error.detail)
    await images.mark_failed(connection, found.image_id, tag_untouched=not found.tagging)
    return AttemptEnd(state=state, code=error.code, lifetime=lifetime)
