"""Ends imports that are open past their deadline, also while they wait, or wait to begin. Why: docs/decisions/0047."""

import asyncio

import structlog

from api_service.background.sweep import sweep
from api_service.imports.attempt.fail import fail_import
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import imports
from shared.db.database import Database
from shared.db.imports import Import, OverdueImport
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_DETAIL_LENGTH
from shared.runtime.condition import Condition

# Between two rounds: an import ends at most this long after its deadline. Seconds.
INTERVAL = 2.0
# An import that no worker has begun has this many times the deadline: a week if the deadline is a day. A large batch on
# few workers may wait for days; without any worker, the queue would only grow.
UNBEGUN_DEADLINES = 7

_logger = structlog.get_logger(__name__)


class DeadlineKeeper:
    """Runs rounds in every API process; an import that one process has locked is skipped by the others."""

    def __init__(self, database: Database, *, deadline: float) -> None:
        """An import's deadline is `deadline` seconds after its first attempt began.

        One that no worker begins has UNBEGUN_DEADLINES times as long, from the moment when a worker could have.
        """
        self._database = database
        self._deadline = deadline
        self._unbegun = deadline * UNBEGUN_DEADLINES
        self._condition = Condition("deadlines")

    async def run(self) -> None:
        """Run rounds until cancelled."""
        while True:
            try:
                await self.end_overdue()
                self._condition.up()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(INTERVAL)

    async def end_overdue(self) -> None:
        """End each import past its deadline, in a transaction of its own; raises `database_unavailable`."""
        for find in (self._find_begun, self._find_unbegun):
            await sweep(find, self._end_counted, check=self._database.check, failed="import.not_timed_out")

    async def _find_begun(self, after: OverdueImport | None, limit: int) -> list[OverdueImport]:
        async with self._database.connection() as connection:
            return await imports.overdue_imports(connection, deadline=self._deadline, after=after, limit=limit)

    async def _find_unbegun(self, after: OverdueImport | None, limit: int) -> list[OverdueImport]:
        async with self._database.connection() as connection:
            return await imports.unbegun_imports(connection, due_for=self._unbegun, after=after, limit=limit)

    async def _end_counted(self, overdue: OverdueImport) -> None:
        if end := await self._end(overdue):
            events.attempt_ended(end)

    async def _end(self, overdue: OverdueImport) -> AttemptEnd | None:
        """Return the end; None if the import has ended meanwhile, or is locked at this moment."""
        async with self._database.transaction() as connection:
            found = await imports.lock_overdue(connection, overdue.import_id)
            if found is None or (found.started_at is None) != overdue.unbegun:
                # In the latter case a worker has begun it meanwhile.
                return None
            end = await fail_import(connection, found, code=Code.IMPORT_TIMED_OUT, detail=self._detail(found))
        _logger.warning("import.timed_out", import_name=found.name, attempt=found.attempt, failures=found.failures)
        return end

    def _detail(self, found: Import) -> str:
        """Return the reason with the last error, which is often the cause."""
        if found.started_at is None:
            return f"No worker began the import within {self._unbegun:.0f} seconds."
        reason = f"The import was not ready within {self._deadline:.0f} seconds of the start of its first attempt."
        last = f" The last error was {found.error_code}: {found.error_detail}" if found.error_code else ""
        return (reason + last)[:MAX_DETAIL_LENGTH]
