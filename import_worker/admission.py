"""Whether the target takes an image, asked before the first byte is moved: its project is there, and has room."""

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

# Small requests at a time, where a project is so full that every blob has to be asked for.
REQUESTS_AT_ONCE = 8

_log = structlog.stdlib.get_logger(__name__)


class ProjectLedger(Protocol):
    """What is known of the target repository's project. Hints only."""

    async def held_by_project(self, blobs: Sequence[Descriptor]) -> AbstractSet[Digest]:
        """Return those that some repository of the project is known to hold."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One target repository, and what tells whether an image may come in."""

    management: TargetManagement
    repository: str
    target: Target
    ledger: ProjectLedger

    async def admit(self, plan: ImportPlan) -> None:
        """Make the repository ready to be pushed to; raises `target_quota_exceeded` where the image does not fit."""
        await self.prepare()
        room = await self._room()
        if room and plan.size > room.free:
            room.check_fits(await self._missing(plan))

    async def prepare(self) -> None:
        """Make the repository ready to be pushed to."""
        await self.management.prepare_repository(self.repository)

    async def _room(self) -> ProjectQuota | None:
        """Return the project's room; None also where it is not told: then the push finds out."""
        try:
            return await self.management.project_quota(self.repository)
        except LongshoreError as error:
            _log.info("room not known", repository=self.repository, error=str(error))
            return None

    async def _missing(self, plan: ImportPlan) -> int:
        """Return the bytes that the project would grow by, at least.

        A blob that any of its repositories holds counts no second time. The repository itself is asked; of the others
        the ledger knows, perhaps more than there is: too few bytes let an import begin that the push then ends.
        """
        known = await self.ledger.held_by_project(plan.blobs)
        slots = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def missing(blob: Descriptor) -> int:
            async with slots:
                return 0 if await self.target.has_blob(blob) else blob.size

        sizes = await gather_all([missing(blob) for blob in plan.blobs if blob.digest not in known])
        return sum(sizes)
