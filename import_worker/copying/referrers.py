"""Copies what refers to an image, such as signatures and SBOMs: blobs with the image's, manifests before its tag.

Companion tags and lists of referrers can be overwritten, as the image's tag can: each is written after the fence has
passed once more, and if it still is what was read. They come before the image's tag, so that a client that pulls it
finds its signatures. Why: docs/decisions/0018 and 0041.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from import_worker.copying.ends import Target
from import_worker.copying.tag import End, Fence, TagJournal, TagWriter
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import referrers_tag
from shared.planning.budget import DEFAULT_LIMITS, PlanLimits
from shared.planning.find_referrers import find_referrers
from shared.planning.plan import ImportPlan
from shared.planning.referrers import Referrer, Referrers, ReferrersSource, may_be_left_out
from shared.runtime.concurrency import gather_all

# Manifests that are put at a time.
PUTS_AT_ONCE = 6


class ReferrersTarget(Target, Protocol):
    """A target's repository that can also list what refers to its manifests."""

    async def fetch_manifest(self, reference: str) -> Manifest:
        """Return the manifest of a tag."""
        ...

    async def link_referrers(
        self, subject: Digest, referrers: Sequence[Manifest], *, before: Callable[[str, Digest], Awaitable[None]]
    ) -> Digest | None:
        """Make the registry list these manifests, which it holds, as referrers of the subject.

        Returns the digest that the list's tag has now; None if the registry needs no such tag.

        `before` is awaited with the list's tag and its new digest right before each sending; its exception is raised
        unchanged.
        """
        ...


class TagLedger(TagJournal, Protocol):
    """The companion tags and lists of referrers that imports wrote in the target's repository."""

    async def has_written(self, tag: str, digest: Digest) -> bool:
        """Return whether an import has pointed the tag to this digest."""
        ...

    async def record_tag(self, tag: str, digest: Digest) -> None:
        """Record that this import points the tag to this digest; called before it does."""
        ...

    async def confirm_tag(self, tag: str, digest: Digest) -> None:
        """Record that the tag was seen to have this digest, if an import has pointed it there."""
        ...


class ReferrersCopy:
    """The referrers of one planned image, from discovery to the last tag; `left_out` names each missing one and why."""

    def __init__(
        self,
        plan: ImportPlan,
        source: ReferrersSource,
        target: ReferrersTarget,
        tags: TagLedger,
        limits: PlanLimits = DEFAULT_LIMITS,
    ) -> None:
        # Let go of by `find`: it has the bytes of all manifests.
        self._plan: ImportPlan | None = plan
        self._source = source
        self._target = target
        self._tags = tags
        self._limits = limits
        self._referrers = Referrers()
        self._missing: dict[Digest, LongshoreError] = {}
        self._slots = asyncio.Semaphore(PUTS_AT_ONCE)
        self.left_out: list[str] = []
        self._copied: set[Digest] = set()

    @property
    def count(self) -> int:
        """The number of artifacts that were copied or existed already."""
        return len(self._copied)

    @property
    def any_found(self) -> bool:
        return bool(self._referrers.found)

    async def find(self) -> Sequence[Descriptor]:
        """Find the referrers and return the blobs that they need beyond the image's own."""
        plan, self._plan = self._plan, None
        if plan is None:
            raise ValueError("the referrers of a copy are looked for once")
        self._referrers = await find_referrers(self._source, plan, self._limits)
        self.left_out += self._referrers.left_out
        own = {blob.digest for blob in plan.blobs}
        return [blob for blob in self._referrers.blobs if blob.digest not in own]

    def blob_failed(self, blob: Descriptor, error: LongshoreError) -> None:
        """Leave out the referrers that need this blob; raises the error if another try may copy it."""
        if not may_be_left_out(error):
            raise error
        self._missing[blob.digest] = error

    async def put(self, fence: Fence) -> None:
        """Put manifests, then lists and tags. The subjects must exist: Harbor ties cosign's tags to what it holds."""
        kept = self._complete()
        linked = [each for each in kept if each.attachment.tag is None]
        await gather_all([self._put_linked(each) for each in linked])
        await self._link([each for each in linked if each.manifest.digest in self._copied], fence)
        for each in kept:
            if each.attachment.tag is not None:
                await self._put_tagged(each, each.attachment.tag, fence)

    def _complete(self) -> Sequence[Referrer]:
        """Return the referrers whose blobs and subject are all copied, and report the others."""
        complete: list[Referrer] = []
        gone: set[Digest] = set()
        for referrer in self._referrers.found:
            reasons = [self._missing[blob.digest].detail for blob in referrer.blobs if blob.digest in self._missing]
            if referrer.attachment.subject in gone:
                reasons.append("its subject was left out, too.")
            if reasons:
                gone.add(referrer.manifest.digest)
                self.left_out.append(f"{referrer.attachment} was left out: {reasons[0]}")
            else:
                complete.append(referrer)
        return complete

    async def _put_linked(self, referrer: Referrer) -> None:
        try:
            async with self._slots:
                await self._put_missing(referrer.manifests)
        except LongshoreError as error:
            self._leave_out(str(referrer.attachment), error)
        else:
            self._copied.add(referrer.manifest.digest)

    async def _link(self, referrers: Sequence[Referrer], fence: Fence) -> None:
        """Have the target list the referrers of each subject."""
        by_subject: dict[Digest, list[Manifest]] = {}
        for referrer in referrers:
            by_subject.setdefault(referrer.attachment.subject, []).append(referrer.manifest)
        for subject, manifests in by_subject.items():
            try:
                await self._link_one(subject, manifests, fence)
            except LongshoreError as error:
                self._leave_out(f"The list {referrers_tag(subject)}", error)

    async def _link_one(self, subject: Digest, manifests: Sequence[Manifest], fence: Fence) -> None:
        ends: list[End] = []

        async def before(tag: str, digest: Digest) -> None:
            await self._tags.record_tag(tag, digest)
            await fence()
            ends.append(await self._tags.begin_write(tag, digest, subject=subject))

        listed = await self._target.link_referrers(subject, manifests, before=before)
        # Earlier sendings have failed, or did not take place: their records stay for a look.
        for end in ends[-1:]:
            await end()
        if listed:
            await self._tags.confirm_tag(referrers_tag(subject), listed)

    async def _put_tagged(self, referrer: Referrer, tag: str, fence: Fence) -> None:
        try:
            found = await self._target.find_manifest(tag)
            if found != referrer.manifest.digest:
                await self._check_replaceable(tag, found, referrer.manifest)
                await self._put_missing(referrer.manifests[:-1])
                await self._write_companion(tag, found, referrer, fence)
            await self._tags.confirm_tag(tag, referrer.manifest.digest)
        except LongshoreError as error:
            self._leave_out(str(referrer.attachment), error)
        else:
            self._copied.add(referrer.manifest.digest)

    async def _check_replaceable(self, tag: str, found: Digest | None, manifest: Manifest) -> None:
        """Raise unless the tag does not exist, or an import wrote it and the new manifest has all of its signatures.

        Imports of one image from several sources share the tag, and cosign adds signatures to an existing tag: none of
        them is ever lost.
        """
        if found is None:
            return
        if await self._tags.has_written(tag, found):
            existing = await self._target.fetch_manifest(str(found))
            if not existing.is_index and _signatures(existing) <= _signatures(manifest):
                return
        raise _kept(tag, found)

    async def _write_companion(self, tag: str, seen: Digest | None, referrer: Referrer, fence: Fence) -> None:
        """Write the tag while it still has the digest that was seen."""

        def check(found: Digest | None) -> None:
            if found not in (None, seen):
                raise _kept(tag, found)

        await self._tags.record_tag(tag, referrer.manifest.digest)
        writer = TagWriter(target=self._target, fence=fence, journal=self._tags)
        await writer.write(tag, referrer.manifest, check, subject=referrer.attachment.subject)

    async def _put_missing(self, manifests: Sequence[Manifest]) -> None:
        for manifest in manifests:
            reference = str(manifest.digest)
            if await self._target.find_manifest(reference) is None:
                await self._target.put_manifest(reference, manifest)

    def _leave_out(self, subject: str, error: LongshoreError) -> None:
        if not may_be_left_out(error):
            raise error
        self.left_out.append(f"{subject} was left out: {error.detail}")


def _kept(tag: str, found: Digest | None) -> LongshoreError:
    return LongshoreError(Code.TARGET_REFUSED, f"the target's tag {tag} has content of its own, {found}, and keeps it.")


def _signatures(manifest: Manifest) -> AbstractSet[tuple[Digest, AbstractSet[tuple[str, str]]]]:
    """Return the layers with their annotations: two signatures of one image differ in their annotations alone."""
    return {(layer.digest, frozenset(layer.annotations.items())) for layer in manifest.layers}
