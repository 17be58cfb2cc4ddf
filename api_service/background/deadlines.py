"""Ends imports that are open past their deadline, also while they wait. Why: docs/decisions/0047."""

import asyncio

import structlog

from api_service.imports.attempt.fail import fail_import
from api_service.metrics import events
from api_service.metrics.events import AttemptEnd
from shared.db import imports
from shared.db.database import Database
from shared.db.imports import Import, OverdueImport
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_DETAIL_LENGTH
from shared.runtime.condition import Condition, describe

# Between two rounds: an import ends at most this long after its deadline. Seconds.
INTERVAL = 2.0
# Imports of one query. A round reads one page after the other.
PAGE = 100

_logger = structlog.get_logger(__name__)


class DeadlineKeeper:
    """Runs rounds in every API process; an import that one process has locked is skipped by the others."""

    def __init__(self, database: Database, *, deadline: float) -> None:
        """An import's deadline is `deadline` seconds after its first attempt began."""
        self._database = database
        self._deadline = deadline
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
        last: OverdueImport | None = None
        while True:
            async with self._database.connection() as connection:
                page = await imports.overdue_imports(connection, deadline=self._deadline, after=last, limit=PAGE)
            for overdue in page:
                await self._end_alone(overdue)
            if len(page) < PAGE:
                return
            last = page[-1]

    async def _end_alone(self, overdue: OverdueImport) -> None:
        """End one import; where that fails although the database answers, the next round tries again."""
        try:
            end = await self._end(overdue)
        except LongshoreError as error:
            _logger.warning("import.not_timed_out", import_id=overdue.import_id, reason=describe(error))
            await self._database.check()
        except Exception as error:  # noqa: BLE001 - a row that a defect makes unreadable must not hold up all others
            _logger.error("import.not_timed_out", import_id=overdue.import_id, reason=describe(error))  # noqa: TRY400
        else:
            if end:
                events.attempt_ended(end)

    async def _end(self, overdue: OverdueImport) -> AttemptEnd | None:
        """Return the end; None if the import has ended meanwhile, or is locked at this moment."""
        async with self._database.transaction() as connection:
            found = await imports.lock_overdue(connection, overdue.import_id)
            if found is None:
                return None
            end = await fail_import(connection, found, code=Code.IMPORT_TIMED_OUT, detail=self._detail(found))
        _logger.warning("import.timed_out", import_name=found.name, attempt=found.attempt, failures=found.failures)
        return end

    def _detail(self, found: Import) -> str:
        """Return the reason with the last error, which is often the cause."""
        reason = f"The import was not ready within {self._deadline:.0f} seconds of the start of its first attempt."
        last = f" The last error was {found.error_code}: {found.error_detail}" if found.error_code else ""
        return (reason + last)[:MAX_DETAIL_LENGTH]
