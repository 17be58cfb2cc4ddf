"""The use case behind GET /harbor/stats: the target's figures, asked for now and then, whoever asks us."""

import asyncio
from time import monotonic
from typing import Any

from api_service.status.target_figures import TargetFigures
from shared.db.database import Database
from shared.db.images import managed_figures
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.target.management import TargetManagement

# Figures are told again for so long. Counting its artifacts costs a large Harbor some hundred requests. Seconds.
FRESH = 60.0
# What a request waits for new figures, before it takes the last ones. Seconds; the answer comes within five.
PATIENCE = 4.0
# A target that failed is left alone for so long. Seconds.
PAUSE = 5.0


class HarborStatistics:
    """Remembers the figures of one process; those who ask while they are being fetched wait for the same ones."""

    def __init__(self, database: Database, target: TargetManagement, registry_host: str) -> None:
        """Take the target, and its public name."""
        self._database = database
        self._target = target
        self._registry_host = registry_host
        self._figures: TargetFigures | None = None
        self._trouble: LongshoreError | None = None
        self._fetched_at = self._failed_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def read(self) -> dict[str, Any]:
        """Return the figures, with their age; raises `target_statistics_unavailable` where there are none yet."""
        now = monotonic()
        if now - self._fetched_at >= FRESH and now - self._failed_at >= PAUSE:
            await asyncio.wait({self._fetch_once()}, timeout=PATIENCE)
        if self._figures is None:
            reason = self._trouble.detail if self._trouble else "It takes its time; the figures are being fetched."
            raise LongshoreError(Code.TARGET_STATISTICS_UNAVAILABLE, reason, retry_after=PAUSE) from self._trouble
        trouble = self._trouble.detail if self._trouble else None
        return self._figures.to_json(age=monotonic() - self._fetched_at, trouble=trouble)

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    def _fetch_once(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name="harbor statistics")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            told = await self._target.statistics()
            async with self._database.connection() as connection:
                managed = await managed_figures(connection, self._registry_host)
        except LongshoreError as error:
            self._trouble, self._failed_at = error, monotonic()
            return
        self._figures, self._trouble, self._fetched_at = TargetFigures.of(told, managed), None, monotonic()
