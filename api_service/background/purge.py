"""Deletes old rows of outbox and audit log, and adds up the numbers of images: in batches, each its own transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

import structlog

from api_service.audit.write_events import KEPT_DAYS
from shared.db import image_counts, outbox
from shared.db.access import audit
from shared.db.database import Connection, Database, try_lead
from shared.db.tags import tag_writes
from shared.db.uploads import target_uploads
from shared.errors.error import LongshoreError
from shared.runtime.condition import Condition

# Between two rounds. Seconds.
INTERVAL = 2.0
# How long published rows are kept, for the analysis of incidents. Seconds.
OUTBOX_KEPT = 24 * 3_600.0
# How long uploads are kept whose cancellation fails: registries drop them after a week by themselves. Seconds.
UPLOADS_KEPT = 8 * 24 * 3_600.0
# Rows of one transaction: some tens of milliseconds, far below a statement's time limit, also on a slow disk.
BATCH = 2_000
# Batches of one job in a round; the next round goes on. Together 10,000 rows a second, more than any service adds.
BATCHES = 10
# The number of an advisory lock: one API instance purges at a time.
LEADER_LOCK = 7_265_103

# Handles at most one batch and returns its number of rows.
Job: TypeAlias = Callable[[Connection], Awaitable[int]]

_logger = structlog.get_logger(__name__)


class Purger:
    """Runs rounds. A job that fails delays no other one, and undoes at most its last batch."""

    def __init__(self, database: Database, *, audit_days: int = KEPT_DAYS) -> None:
        """Events of the audit log are kept for `audit_days`."""
        self._database = database
        self.jobs: Mapping[str, Job] = {
            "outbox": partial(outbox.purge, older_than=OUTBOX_KEPT, limit=BATCH),
            "audit_events": partial(audit.purge_events, days=audit_days, limit=BATCH),
            "tag_writes": partial(tag_writes.purge, limit=BATCH),
            "target_uploads": partial(target_uploads.purge, older_than=UPLOADS_KEPT, limit=BATCH),
            "image_counts": partial(image_counts.compact_counts, limit=BATCH),
            "image_periods": partial(image_counts.compact_periods, limit=BATCH),
        }
        self._conditions = {name: Condition(f"purge.{name}") for name in self.jobs}

    async def run(self) -> None:
        """Run rounds until cancelled."""
        while True:
            await self.purge()
            await asyncio.sleep(INTERVAL)

    async def purge(self) -> None:
        """Do one round of every job, unless another instance is doing one."""
        for name, job in self.jobs.items():
            try:
                await self._purge(job)
                self._conditions[name].up()
            except LongshoreError as error:
                self._conditions[name].down(error)
            except Exception:
                _logger.exception("purge.failed", job=name)

    async def _purge(self, job: Job) -> None:
        for _ in range(BATCHES):
            async with self._database.transaction() as connection:
                if not await try_lead(connection, LEADER_LOCK) or await job(connection) < BATCH:
                    return
