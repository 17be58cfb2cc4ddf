"""Checks, before the first byte is copied, that the target admits an image: project and quota."""

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

import structlog

from import_worker.copying.ends import Target
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.plan import ImportPlan
from shared.runtime.concurrency import gather_all
from shared.target.management import TargetManagement
from shared.target.project_quota import ProjectQuota

# Existence checks at a time, made if a project is so full that every blob counts.
REQUESTS_AT_ONCE = 8

_log = structlog.stdlib.get_logger(__name__)


class ProjectLedger(Protocol):
    """Hints about the blobs of the target repository's project."""

    async def held_by_project(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those blobs that any repository of the project is known to hold."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One target repository, with the services that decide whether it admits an image."""

    management: TargetManagement
    repository: str
    target: Target
    ledger: ProjectLedger

    async def admit(self, plan: ImportPlan) -> None:
        """Prepare the repository for a push; raises `target_quota_exceeded` if the image does not fit."""
        await self.prepare()
        quota = await self._quota()
        if quota and plan.size > quota.free:
            quota.check_fits(await self._missing_bytes(plan))

    async def prepare(self) -> None:
        """Prepare the repository for a push: a missing project is created."""
        await self.management.prepare_repository(self.repository)

    async def _quota(self) -> ProjectQuota | None:
        """Return the project's quota; None also if the target does not report it: then the push finds out."""
        try:
            return await self.management.project_quota(self.repository)
        except LongshoreError as error:
            _log.info("quota.not_known", repository=self.repository, error=str(error))
            return None

    async def _missing_bytes(self, plan: ImportPlan) -> int:
        """Return the least number of bytes that the project would grow by.

        A blob that any repository of the project holds is not counted again. The repository itself is asked; the
        ledger answers for the others, and may list blobs that are gone. The result is too small then: the import
        starts, and the push fails.
        """
        known = await self.ledger.held_by_project(plan.blobs)
        slots = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def missing(blob: Descriptor) -> int:
            async with slots:
                return 0 if await self.target.has_blob(blob) else blob.size

        sizes = await gather_all([missing(blob) for blob in plan.blobs if blob.digest not in known])
        return sum(sizes)
