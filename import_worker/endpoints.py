"""The endpoints of one import, and the protocol that every kind of source fits."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from import_worker.admission import Admission
from import_worker.copying.ends import BlobLedger, ImportSlot, ProgressBoard, Source
from import_worker.copying.pace import Pace
from import_worker.copying.rates import SourceRate
from import_worker.copying.referrers import ReferrersTarget, TagLedger
from shared.messages.attempt_start import AttemptTerms
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.planning.budget import DEFAULT_LIMITS, PlanLimits
from shared.planning.make_plan import make_plan
from shared.planning.plan import ImportPlan
from shared.planning.referrers import ReferrersSource


class AttemptProgress(ProgressBoard, Protocol):
    """Receives the progress of an attempt."""

    def pin(self, digest: Digest) -> None:
        """Record the digest that is copied, so that a later attempt copies the same image."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedImage:
    """An image that is ready to be copied: its plan, its source, and the board for its progress.

    `referrers` finds what refers to the image; None if nothing at this source can. `layers_in_target` is True if the
    layers have been pushed already, although no tag shows them yet.
    """

    plan: ImportPlan
    source: Source
    board: ProgressBoard
    referrers: ReferrersSource | None = None
    layers_in_target: bool = False


class ImportSource(Protocol):
    """The image that an import reads. A new kind of source implements this, and is opened in `open_endpoints`."""

    async def prepare(
        self, pinned: Digest | None, platforms: Sequence[Platform], admission: Admission, progress: AttemptProgress
    ) -> PreparedImage:
        """Resolve the image, or take the pinned one; plan it for these platforms; and have the target admit it."""
        ...


class ResolvableSource(Source, ReferrersSource, Protocol):
    """A source that also resolves a reference and lists referrers, as a registry does."""

    async def resolve(self) -> Digest:
        """Return the digest that the image's reference points to."""
        ...


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """An image in a registry. Fits `ImportSource`."""

    source: ResolvableSource
    limits: PlanLimits = DEFAULT_LIMITS

    async def prepare(
        self, pinned: Digest | None, platforms: Sequence[Platform], admission: Admission, progress: AttemptProgress
    ) -> PreparedImage:
        digest = pinned or await self.source.resolve()
        progress.pin(digest)
        plan = await make_plan(self.source, digest, platforms, self.limits)
        await admission.admit(plan)
        return PreparedImage(plan=plan, source=self.source, board=progress, referrers=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyEndpoints:
    """The two ends of one import's copy.

    `terms` are those of the attempt. `check_import_allowed` raises while a rate limit of either end holds new imports
    back; `streams` is entered for each blob that is transferred, `large_streams` for a large one; `pace` decides which
    transfers are too slow. `rate` is that of transfers from the source, and `slot` the worker's slot that the import
    holds. `settle` is awaited at the attempt's end, however it ends.
    """

    terms: AttemptTerms
    source: ImportSource
    target: ReferrersTarget
    ledger: BlobLedger
    tags: TagLedger
    admission: Admission
    check_import_allowed: Callable[[], Awaitable[None]]
    settle: Callable[[], Awaitable[None]]
    streams: AbstractAsyncContextManager[None]
    pace: Pace
    large_streams: AbstractAsyncContextManager[None] | None = None
    rate: SourceRate | None = None
    slot: ImportSlot | None = None
    limits: PlanLimits = DEFAULT_LIMITS
