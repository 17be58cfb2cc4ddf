"""Checks, before the first byte is copied, that an image is admitted: by its rule's limits, and by the target."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

import structlog

from import_worker.attempt import Attempt
from import_worker.copying.ends import Target
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptTerms
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.plan import ImportPlan
from shared.runtime.concurrency import gather_bounded
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
    """One target repository, with the services that decide whether an image is admitted to it."""

    attempt: Attempt
    terms: AttemptTerms
    management: TargetManagement
    repository: str
    target: Target
    ledger: ProjectLedger

    async def admit(self, plan: ImportPlan) -> None:
        """Prepare the repository for a push of this image.

        Raises `target_quota_exceeded` if the image does not fit, `target_not_allowed` if its project is missing and may
        not be created, and SupersededError if a limit of its rule ended the import.
        """
        await self.prepare(plan.size)
        quota = await self._quota()
        if quota and plan.size > quota.free:
            quota.check_fits(await self._missing_bytes(plan))

    async def prepare(self, size: int) -> None:
        """Have the size admitted, if it is limited, and prepare the repository: its project is created if it may be."""
        may_create_project = self.terms.may_create_project
        if self.terms.limited:
            # Another rule may have admitted the size than the one that the terms are from.
            may_create_project = (await self.attempt.admit(size)).may_create_project
        if may_create_project:
            await self.management.prepare_repository(self.repository)
        elif await self.management.has_project(self.repository) is False:
            project = self.repository.partition("/")[0]
            raise LongshoreError(
                Code.TARGET_NOT_ALLOWED,
                f"There is no project {project}, and the import rule does not allow to create projects.",
            )

    async def admit_size(self, size: int) -> None:
        """Have the size admitted again, if it is limited, because it has become known only now."""
        if self.terms.limited:
            await self.attempt.admit(size)

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

        async def missing(blob: Descriptor) -> int:
            return 0 if await self.target.has_blob(blob) else blob.size

        unknown = [blob for blob in plan.blobs if blob.digest not in known]
        return sum(await gather_bounded(missing, unknown, REQUESTS_AT_ONCE))
