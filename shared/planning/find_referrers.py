"""Finds an image's referrers, and theirs in turn: a signature's SBOM, an SBOM's signature."""

import asyncio
from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import reads_content
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import Attachment, subject_of
from shared.planning.budget import DEFAULT_LIMITS, PlanBudget, PlanLimits
from shared.planning.plan import ImportPlan
from shared.planning.referrers import Referrer, Referrers, ReferrersSource, may_be_left_out
from shared.planning.walk import MANIFESTS_AT_ONCE, Walk
from shared.runtime.concurrency import gather_all

# Steps away from the image: its SBOM, the SBOM's signature, an attestation of that. Longer chains have no known use.
MAX_DEPTH = 3
# Referrers of one image: a daily report for more than a year, and a bound on the work that a source can cause.
MAX_REFERRERS = 500
# Bytes of all their manifests, held in memory until they are put; five hundred usual ones have one or two million.
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
# One referrer's manifest lists few layers, and six are read at once; a thousand layers have a quarter of it. Bytes.
MAX_REFERRER_SIZE = 1024 * 1024


async def find_referrers(source: ReferrersSource, plan: ImportPlan, limits: PlanLimits = DEFAULT_LIMITS) -> Referrers:
    """Find the referrers of all the plan's manifests; `left_out` names those with a permanent error.

    Raises transient errors, which another attempt may avoid. Referrers of an index that the plan trims are left out:
    they describe another digest.
    """
    search = _Search(source, plan, limits)
    await search.run()
    return Referrers(found=tuple(search.found), left_out=tuple(search.left_out))


class _Search:
    """Searches from the image outwards, a step at a time; asks about each subject once, so that a cycle ends."""

    def __init__(self, source: ReferrersSource, plan: ImportPlan, limits: PlanLimits) -> None:
        self._source = source
        self._plan = plan
        self._slots = asyncio.Semaphore(MANIFESTS_AT_ONCE)
        self._subjects = {plan.source_digest, *(manifest.digest for manifest in plan.manifests)}
        self._taken = 0
        self._budget = PlanBudget(limits, manifest_bytes=MAX_MANIFEST_BYTES, size=plan.size, blobs=plan.blobs)
        self.found: list[Referrer] = []
        self.left_out: list[str] = []

    async def run(self) -> None:
        # The image itself first: its query shows which API the source has for the others.
        subjects = tuple(dict.fromkeys((self._plan.source_digest, *self._from_source())))
        for _ in range(MAX_DEPTH):
            attachments = self._fitting(await self._attachments(subjects))
            referrers = await gather_all([self._read(attachment) for attachment in attachments])
            new = [referrer for referrer in referrers if referrer]
            self.found += new
            subjects = self._next_subjects(new)
            if not subjects:
                return

    def _from_source(self) -> tuple[Digest, ...]:
        manifests = self._plan.manifests[:-1] if self._plan.partial else self._plan.manifests
        return tuple(manifest.digest for manifest in manifests)

    async def _attachments(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        try:
            return await self._source.attachments(subjects)
        except LongshoreError as error:
            self._leave_out(f"What refers to {subjects[0]} was not found out", error)
            return ()

    def _fitting(self, attachments: Sequence[Attachment]) -> tuple[Attachment, ...]:
        """Return the attachments to read: new ones, of imported subjects, within the limit."""
        new = list(dict.fromkeys(attachments))
        if self._plan.partial:
            new = self._without_the_whole(new)
        left = MAX_REFERRERS - self._taken
        if len(new) > left:
            self.left_out.append(f"{len(new) - left} referrers were left out: {MAX_REFERRERS} are brought at most.")
        self._taken += len(new[:left])
        return tuple(new[:left])

    def _without_the_whole(self, attachments: Sequence[Attachment]) -> list[Attachment]:
        """Leave out the referrers of the whole index, of which only a part is imported."""
        kept = [each for each in attachments if each.subject != self._plan.source_digest]
        if len(kept) < len(attachments):
            self.left_out.append(
                f"{len(attachments) - len(kept)} referrers of {self._plan.source_digest} were left out: "
                "the chosen platforms are an index with another digest."
            )
        return kept

    async def _read(self, attachment: Attachment) -> Referrer | None:
        try:
            async with self._slots:
                manifest = await self._source.fetch_manifest(attachment.digest, MAX_REFERRER_SIZE)
                self._budget.add((manifest,))
            _check_subject(attachment, manifest)
            manifests = await Walk(self._source, self._budget).collect(manifest)
        except LongshoreError as error:
            self._leave_out(f"{attachment} was left out", error)
            return None
        return Referrer(attachment=attachment, manifests=manifests)

    def _next_subjects(self, referrers: Sequence[Referrer]) -> tuple[Digest, ...]:
        digests = dict.fromkeys(manifest.digest for referrer in referrers for manifest in referrer.manifests)
        new = tuple(digest for digest in digests if digest not in self._subjects)
        self._subjects.update(new)
        return new

    def _leave_out(self, what: str, error: LongshoreError) -> None:
        if not may_be_left_out(error):
            raise error
        self.left_out.append(f"{what}: {error.detail}")


@reads_content(Code.MANIFEST_UNSUPPORTED)
def _check_subject(attachment: Attachment, manifest: Manifest) -> None:
    """Raise unless the manifest itself names the subject: the source's list of referrers is not trusted."""
    if attachment.tag is None and subject_of(manifest) != attachment.subject:
        raise LongshoreError(Code.MANIFEST_UNSUPPORTED, "the source lists it, but it names another subject.")
