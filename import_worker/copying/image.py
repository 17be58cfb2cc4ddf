"""Copies a planned image into the target: blobs, child manifests, referrers, then the tag."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import TypeVar

from import_worker.copying import transfer
from import_worker.copying.blob import BlobCopier
from import_worker.copying.ends import BlobLedger, ImportSlot, ProgressBoard, Source, Target
from import_worker.copying.pace import Pace
from import_worker.copying.rates import SourceRate, TransferRates
from import_worker.copying.referrers import ReferrersCopy
from import_worker.copying.slot_use import SlotUse
from import_worker.copying.tag import Fence, Replaceable, TagJournal, TagWriter
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.planning.plan import ImportPlan
from shared.runtime.concurrency import gather_all, gather_bounded
from shared.tracing.spans import step

# Manifests that are put at a time.
PUTS_AT_ONCE = 8
# Blobs of one image that are under way at a time, most of which wait for an answer, for a place, or for another
# import's transfer; nothing is made for the others yet.
LARGE_UNDER_WAY = 96
SMALL_UNDER_WAY = 64
# An image with at most this many blobs is checked blob by blob, without a question about the repository first.
FEW_BLOBS = 3
# An image with more blobs, or more bytes of manifests, keeps its slot while it waits: the plans of all images that wait
# are in a worker's memory.
MAX_IDLE_BLOBS = 1000
MAX_IDLE_MANIFEST_BYTES = 1024 * 1024
# Only a tag that does not exist is written.
NOTHING = Replaceable(digests=frozenset())

T = TypeVar("T")


class ImageCopy:
    """The copy of one planned image from a source into one repository of the target."""

    def __init__(
        self,
        plan: ImportPlan,
        source: Source,
        target: Target,
        *,
        ledger: BlobLedger,
        board: ProgressBoard,
        slots: int,
        streams: AbstractAsyncContextManager[None] | None = None,
        large_streams: AbstractAsyncContextManager[None] | None = None,
        rate: SourceRate | None = None,
        slot: ImportSlot | None = None,
        referrers: ReferrersCopy | None = None,
        journal: TagJournal | None = None,
        first_attempt: bool = False,
        pace: Pace | None = None,
    ) -> None:
        """Prepare the copy; `slots` is the number of large blobs that are transferred at once.

        `streams` is entered for each blob that is transferred: a place at both ends, shared with other imports; for
        large blobs it is `large_streams`, if that is given. `rate` is that of transfers from the source, and `slot` is
        given back while the copy only waits for other imports. Without `referrers` the image comes alone. `journal`
        records each sending of the tag. With `first_attempt`, a repository without tags is assumed to be empty.
        """
        self._plan = plan
        self._source = source
        self._target = target
        self._ledger = ledger
        self._board = board
        self._slot_use = SlotUse(slot if _is_light(plan) else None)
        self._blobs = BlobCopier(
            _PrefetchedSource(source, plan.contents),
            target,
            ledger,
            board,
            slots=slots,
            streams=streams or nullcontext(),
            large_streams=large_streams or streams or nullcontext(),
            pace=pace,
            rate=rate or TransferRates().of(None, ""),
            slot_use=self._slot_use,
        )
        self._puts = asyncio.Semaphore(PUTS_AT_ONCE)
        self._referrers = referrers
        self._journal = journal
        self._first_attempt = first_attempt
        # Blobs and manifests of the plan that the target lacks for certain, so that no request has to check.
        self._absent: AbstractSet[Digest] = frozenset()

    async def run(self, tag: str, fence: Fence, replaceable: Replaceable = NOTHING) -> None:
        """Copy the image and make the tag point to it, if the tag does not exist or is replaceable.

        Raises LongshoreError: `target_tag_foreign` if another client wrote the tag, and `target_digest_mismatch` if the
        tag points to another digest afterwards.
        """
        # Content is written before the manifests that refer to it. An interruption at any point therefore leaves no
        # manifest with missing content and no wrong tag, and the next attempt skips everything that exists already.
        #   1. Blobs, those of the referrers included. Each one exists, is mounted, is awaited while another import
        #      transfers it, or is transferred; failed transfers are retried there (blob.py, transfer.py).
        #   2. Child manifests, then the indexes above them.
        #   3. The fence: only the attempt that holds the import may write what can be overwritten.
        #   4. Referrers, before the tag, so that a client that pulls the tag finds its signatures. A referrer that no
        #      further try can copy is left out and reported; it does not fail the image. None is written if the image's
        #      tag is another client's.
        #   5. The tag, unless it is right already: it may be immutable.
        #   6. The tag is read back, because another client may have moved it in the meantime.
        # As each tag and each list of referrers is sent, the fence is asked again, and the tag is looked up, so that
        # nothing of another client is overwritten (tag.py).
        # If the target has lost content since it was checked, that content is copied once more (_put_with_content).
        # Every other error ends the copy, and the API decides whether the import is tried again.
        self._show_plan()
        self._absent = await self._known_absent()
        await gather_all([self._copy_blobs(self._plan.blobs), self._copy_referrers_blobs()])
        await self._put_children()
        self._plan = self._plan.without_children_bytes()
        await fence()
        await self._put_referrers(tag, fence, replaceable)
        if await self._write_tag(tag, fence, replaceable):
            await self._confirm(tag)
        await self._ledger.record(self._plan.blobs, read=self._blobs.read)

    def _show_plan(self) -> None:
        for blob in self._plan.blobs:
            self._board.show(blob.digest, LayerProgress(size=blob.size))
        for layer in self._plan.foreign:
            done = LayerProgress(
                size=layer.size, offset=layer.size, status=LayerStatus.COMPLETED, transfer=Transfer.EXISTING
            )
            self._board.show(layer.digest, done)

    async def _known_absent(self) -> AbstractSet[Digest]:
        """Return the blobs and manifests that a new repository lacks: one request instead of one for each of them.

        Where that is wrong, because a failed import has left blobs behind, these blobs are sent again.
        """
        blobs = self._plan.blobs
        if not self._first_attempt or len(blobs) <= FEW_BLOBS or not await self._target.is_empty():
            return frozenset()
        left_behind = await self._ledger.held_by_repository(blobs)
        digests = {blob.digest for blob in blobs} - left_behind
        return digests | {manifest.digest for manifest in self._plan.manifests}

    async def _copy_blobs(self, blobs: Sequence[Descriptor]) -> None:
        """Copy the blobs, the largest first, so that none of them runs alone at the end."""
        candidates = await self._ledger.mount_candidates(blobs)
        by_size = sorted(blobs, key=lambda blob: blob.size, reverse=True)

        async def ensure(blob: Descriptor) -> None:
            mount_from = candidates.get(blob.digest)
            await self._blobs.ensure(blob, may_exist=blob.digest not in self._absent, mount_from=mount_from)

        large = [blob for blob in by_size if blob.size > transfer.WHOLE_SIZE]
        small = by_size[len(large) :]
        await gather_all(
            [gather_bounded(ensure, large, LARGE_UNDER_WAY), gather_bounded(ensure, small, SMALL_UNDER_WAY)]
        )

    async def _copy_referrers_blobs(self) -> None:
        """Find what refers to the image and copy its blobs; a referrer whose blob cannot be copied is left out."""
        if self._referrers is None:
            return
        async with self._slot_use.working():
            blobs = await self._referrers.find()
        for blob in blobs:
            self._board.show(blob.digest, LayerProgress(size=blob.size))
        await gather_bounded(partial(self._copy_optional_blob, self._referrers), blobs, SMALL_UNDER_WAY)

    async def _copy_optional_blob(self, referrers: ReferrersCopy, blob: Descriptor) -> None:
        try:
            await self._copy_blobs([blob])
        except LongshoreError as error:
            referrers.blob_failed(blob, error)

    async def _put_children(self) -> None:
        """Put all manifests but the root: first, side by side, those without children, then the indexes above them."""
        below = self._plan.manifests[:-1]
        await gather_all([self._put_if_missing(manifest) for manifest in below if not manifest.is_index])
        for index in (manifest for manifest in below if manifest.is_index):
            await self._put_if_missing(index)

    async def _put_referrers(self, tag: str, fence: Fence, replaceable: Replaceable) -> None:
        """Put the referrers; their subject has to be there first, under its digest."""
        if self._referrers is None or not self._referrers.any_found:
            return
        root = self._plan.root
        found = await self._target.find_manifest(tag)
        if found != root.digest:
            replaceable.check(tag, found)
        await self._put_if_missing(root)
        await self._referrers.put(fence)

    async def _put_if_missing(self, manifest: Manifest) -> None:
        reference = str(manifest.digest)
        async with self._puts:
            if manifest.digest in self._absent or await self._target.find_manifest(reference) is None:
                await self._put_with_content(manifest)

    async def _put_with_content(self, manifest: Manifest) -> None:
        reference = str(manifest.digest)
        await self._with_content(reference, manifest, partial(self._target.put_manifest, reference, manifest))

    async def _write_tag(self, tag: str, fence: Fence, replaceable: Replaceable) -> bool:
        """Point the tag to the image; return False if it does already."""
        root = self._plan.root
        check = partial(replaceable.check, tag)
        writer = TagWriter(target=self._target, fence=fence, journal=self._journal)
        return await self._with_content(tag, root, lambda: writer.write(tag, root, check))

    async def _with_content(self, reference: str, manifest: Manifest, put: Callable[[], Awaitable[T]]) -> T:
        """Put a manifest; copies its content once more if the target has lost some of it since it was checked."""
        values = {"longshore.reference": reference, "oci.digest": str(manifest.digest)}
        with step("put manifest", {**values, "longshore.bytes": len(manifest.content)}):
            try:
                return await put()
            except LongshoreError as error:
                if error.code != Code.TARGET_BLOB_UNKNOWN:
                    raise
            await self._restore_content(manifest)
            return await put()

    async def _restore_content(self, manifest: Manifest) -> None:
        # The repository is no longer empty.
        self._absent = frozenset()
        await self._copy_blobs(manifest.blobs)
        below = {child.digest for child in manifest.manifests}
        for child in self._plan.manifests:
            if child.digest in below:
                whole = child if child.content else await self._source.fetch_manifest(child.digest)
                await self._put_with_content(whole)

    async def _confirm(self, tag: str) -> None:
        found = await self._target.find_manifest(tag)
        if found != self._plan.root.digest:
            raise LongshoreError(
                Code.TARGET_DIGEST_MISMATCH, f"The tag {tag} points to {found}, not to {self._plan.root.digest}."
            )


def _is_light(plan: ImportPlan) -> bool:
    manifest_bytes = sum(len(manifest.content) for manifest in plan.manifests)
    return len(plan.blobs) <= MAX_IDLE_BLOBS and manifest_bytes <= MAX_IDLE_MANIFEST_BYTES


class _PrefetchedSource:
    """A source whose small blobs have been read during planning."""

    def __init__(self, source: Source, contents: Mapping[Digest, bytes]) -> None:
        self._source = source
        self._contents = contents
        self.fetch_manifest = source.fetch_manifest
        self.download_blob = source.download_blob
        self.has_blob = source.has_blob

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        content = self._contents.get(blob.digest)
        return self._source.open_blob(blob, offset) if content is None else _opened(content[offset:])


@asynccontextmanager
async def _opened(content: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    yield chunks()
