"""The use case behind GET /harbor/stats: the target's figures, cached so that requests cost the target little."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic

from shared.db.database import Database
from shared.db.images import ManagedFigures, managed_figures
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.target.management import TargetManagement, TargetStatistics

# Figures are served from the cache this long. Counting its artifacts costs a large Harbor some hundred requests.
# Seconds.
FRESH = 60.0
# A request waits this long for new figures before it takes the last ones. Seconds; the API answers within five.
FETCH_DEADLINE = 4.0
# No request is sent to a target for this long after it failed. Seconds.
PAUSE = 5.0


class Scope(StrEnum):
    """What the counts cover."""

    TARGET = "target"
    """Everything in the target."""
    VISIBLE = "visible"
    """What the target's account may see there."""
    MANAGED = "managed"
    """The ready images that Longshore manages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFigures:
    """`size` is in bytes; if the target's storage is not visible, it adds up the managed images' sizes."""

    projects: int
    images: int
    size: int
    scope: Scope
    storage_visible: bool
    as_of: datetime

    @classmethod
    def of(cls, reported: TargetStatistics | None, managed: ManagedFigures) -> "TargetFigures":
        """Return the target's figures, completed by Longshore's own; `reported` is None for a plain registry."""
        found = reported or TargetStatistics(
            projects=managed.projects, images=managed.images, size=None, complete=False
        )
        return cls(
            projects=found.projects,
            images=found.images,
            size=managed.size if found.size is None else found.size,
            scope=_scope(reported),
            storage_visible=found.size is not None,
            as_of=datetime.now(UTC),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsReport:
    """Figures and their age in seconds; `trouble` is the target's error, if the last fetch failed."""

    figures: TargetFigures
    age: float
    trouble: str | None


class StatisticsReader:
    """Caches one process's figures; requests that arrive during a fetch wait for its outcome."""

    def __init__(self, *, database: Database, target: TargetManagement, registry_host: str) -> None:
        """Take the target; `registry_host` is its public name."""
        self._database = database
        self._target = target
        self._registry_host = registry_host
        self._figures: TargetFigures | None = None
        self._trouble: LongshoreError | None = None
        self._fetched_at = self._failed_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def read(self) -> StatisticsReport:
        """Return the figures; raises `target_statistics_unavailable` if there are none yet."""
        now = monotonic()
        if now - self._fetched_at >= FRESH and now - self._failed_at >= PAUSE:
            await asyncio.wait({self._fetch_once()}, timeout=FETCH_DEADLINE)
        trouble = self._trouble.detail if self._trouble else None
        if self._figures is None:
            reason = trouble or "The target is slow; its figures are still being fetched."
            raise LongshoreError(Code.TARGET_STATISTICS_UNAVAILABLE, reason, retry_after=PAUSE) from self._trouble
        return StatisticsReport(figures=self._figures, age=monotonic() - self._fetched_at, trouble=trouble)

    async def close(self) -> None:
        """Stop fetching."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    def _fetch_once(self) -> asyncio.Task[None]:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch(), name="target statistics")
        return self._fetching

    async def _fetch(self) -> None:
        try:
            reported = await self._target.statistics()
            async with self._database.connection() as connection:
                managed = await managed_figures(connection, self._registry_host)
        except LongshoreError as error:
            self._trouble, self._failed_at = error, monotonic()
            return
        self._figures, self._trouble, self._fetched_at = TargetFigures.of(reported, managed), None, monotonic()


def _scope(reported: TargetStatistics | None) -> Scope:
    if reported is None:
        return Scope.MANAGED
    return Scope.TARGET if reported.complete else Scope.VISIBLE
