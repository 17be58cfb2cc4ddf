"""Carries out a plan: blobs before manifests, children before parents, the tag last, then a look at where it points."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from typing import Protocol

from import_worker.copying.blob import WHOLE_SIZE, copy_blob
from import_worker.copying.ends import BlobLedger, Bring, Source, Target, Wait
from import_worker.copying.referrers import ReferrersCopy
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.planning.plan import ImportPlan
from shared.runtime.concurrency import gather_all
from shared.tracing.spans import step

# Asked right before the tag is written, each time it is sent; raises where this attempt may no longer write it.
Fence = Callable[[], Awaitable[None]]


# Questions about blobs at a time; they have places of their own, so that none waits behind a large layer.
LOOKS_AT_ONCE = 8
# Blobs that are sent whole at a time: they wait for answers more than for bytes, and together hold less than the
# buffers of large ones.
SMALL_AT_ONCE = 16
# Manifests on their way to the target at a time.
PUTS_AT_ONCE = 8
# An image of so few blobs is looked for blob by blob.
FEW_BLOBS = 3
# How often an import asks how far another one is with a blob that both need; of its end it is told. Seconds.
FLIGHT_INTERVAL = 1.0


class ProgressBoard(Protocol):
    """Where the copy shows how far each blob is."""

    def show(self, digest: Digest, layer: LayerProgress) -> None: ...


class _Prefetched:
    """A source whose small blobs were already read while planning."""

    def __init__(self, source: Source, contents: Mapping[Digest, bytes]) -> None:
        self._source = source
        self._contents = contents
        self.resolve = source.resolve
        self.fetch_manifest = source.fetch_manifest
        self.download_blob = source.download_blob

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        content = self._contents.get(blob.digest)
        return self._source.open_blob(blob, offset) if content is None else _read(content[offset:])


@asynccontextmanager
async def _read(content: bytes) -> AsyncIterator[AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        yield content

    yield chunks()


class ImageCopy:
    """One plan on its way from a source into a target's repository."""

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
        referrers: ReferrersCopy | None = None,
        first_attempt: bool = False,
    ) -> None:
        """Take the plan's two ends; `slots` is how many large blobs may be under way at once.

        `streams` is entered for each blob that is streamed: a place at both ends, beside other imports' blobs. Without
        `referrers` nothing comes along. With `first_attempt` a repository without tags is taken to be empty.
        """
        self._plan = plan
        self._source = _Prefetched(source, plan.contents)
        self._target = target
        self._ledger = ledger
        self._board = board
        self._slots = asyncio.Semaphore(slots)
        self._small = asyncio.Semaphore(SMALL_AT_ONCE)
        self._streams = streams or nullcontext()
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._puts = asyncio.Semaphore(PUTS_AT_ONCE)
        # One upload of a blob at a time, though several manifests may miss it at once.
        self._one_at_a_time: defaultdict[Digest, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._referrers = referrers
        self._first_attempt = first_attempt
        # Of the plan's blobs and manifests, those that are not worth looking for.
        self._absent: AbstractSet[Digest] = frozenset()

    async def run(self, tag: str, fence: Fence) -> None:
        """Bring everything, then write the tag and confirm it.

        Raises LongshoreError; `target_digest_mismatch` where the tag does not answer with the plan's digest.
        """
        self._show_plan()
        self._absent = await self._known_absent()
        await gather_all([self._copy_blobs(self._plan.blobs), self._copy_referrers()])
        await self._put_children()
        await self._publish(tag, fence)
        await self._ledger.record(self._plan.blobs)

    def _show_plan(self) -> None:
        for blob in self._plan.blobs:
            self._board.show(blob.digest, LayerProgress(size=blob.size))
        for layer in self._plan.foreign:
            self._show(layer, LayerStatus.COMPLETED, layer.size, Transfer.EXISTING)

    async def _known_absent(self) -> AbstractSet[Digest]:
        """Return what a look for would be in vain: one question in place of one for each blob of a new repository.

        Where it is wrong, because an import that failed has left blobs behind, these are sent again.
        """
        blobs = self._plan.blobs
        if not self._first_attempt or len(blobs) <= FEW_BLOBS or not await self._target.is_empty():
            return frozenset()
        left_behind = await self._ledger.held_here(blobs)
        digests = {blob.digest for blob in blobs} - left_behind
        return digests | {manifest.digest for manifest in self._plan.manifests}

    async def _copy_referrers(self) -> None:
        """Look for what refers to the image, and copy the blobs of that; one that cannot be had ends nothing."""
        if self._referrers is None:
            return
        blobs = await self._referrers.find()
        for blob in blobs:
            self._board.show(blob.digest, LayerProgress(size=blob.size))
        await gather_all([self._copy_spare(self._referrers, blob) for blob in blobs])

    async def _copy_spare(self, referrers: ReferrersCopy, blob: Descriptor) -> None:
        try:
            await self._copy_blobs([blob])
        except LongshoreError as error:
            referrers.miss(blob, error)

    async def _copy_blobs(self, blobs: Sequence[Descriptor]) -> None:
        """Copy these, the largest first, so that none of them is left to run alone at the end."""
        candidates = await self._ledger.candidates(blobs)
        by_size = sorted(blobs, key=lambda blob: blob.size, reverse=True)
        await gather_all([self._copy_blob(blob, candidates.get(blob.digest)) for blob in by_size])

    async def _copy_blob(self, blob: Descriptor, candidate: str | None) -> None:
        """Make the target hold a blob: it exists, is mounted, brought by another import, or streamed."""
        try:
            with step("blob", {"oci.digest": str(blob.digest), "longshore.bytes": blob.size}) as span:
                async with self._one_at_a_time[blob.digest]:
                    exists = blob.digest not in self._absent and await self._has_blob(blob)
                    transfer = Transfer.EXISTING if exists else await self._bring(blob, candidate)
                span.note({"longshore.transfer": transfer.value})
        except LongshoreError:
            self._show(blob, LayerStatus.FAILED, 0)
            raise
        self._show(blob, LayerStatus.COMPLETED, blob.size, transfer)

    async def _has_blob(self, blob: Descriptor) -> bool:
        async with self._looks:
            return await self._target.has_blob(blob)

    async def _bring(self, blob: Descriptor, candidate: str | None) -> Transfer:
        """Mount the blob where the ledger knows it, else stream it; while another import brings it, hold no place."""
        if candidate and await self._mounted(blob, candidate):
            return Transfer.MOUNTED
        waited = False
        with self._ledger.flight_ends(blob) as ended:
            while True:
                ended.clear()
                async with self._small if blob.size <= WHOLE_SIZE else self._slots, self._streams:
                    way = await self._ledger.way(blob)
                    if isinstance(way, Bring):
                        return await self._stream(blob, way, look_first=waited)
                if isinstance(way, Wait):
                    self._show(blob, LayerStatus.DOWNLOADING, way.offset)
                    waited = True
                    await _wait(ended)
                elif await self._mounted(blob, way.repository):
                    return Transfer.MOUNTED

    async def _mounted(self, blob: Descriptor, repository: str) -> bool:
        """Link the blob, among the small requests: that takes no longer for a large one."""
        async with self._looks:
            upload = await self._target.mount_blob(blob, repository)
        if upload is None:
            return True
        await upload.cancel()
        await self._ledger.forget(blob, repository)
        return False

    async def _stream(self, blob: Descriptor, way: Bring, *, look_first: bool) -> Transfer:
        """Stream the blob for this import and all that wait for it."""
        try:
            # Who waited may find that the other import brought it to this very repository.
            existing = look_first and await self._target.has_blob(blob)
            if not existing:
                await self._copy(blob, way.upload)
        except BaseException:
            await self._ledger.given_up(blob)
            raise
        await self._ledger.landed(blob)
        return Transfer.EXISTING if existing else Transfer.COPIED

    async def _copy(self, blob: Descriptor, kept: str | None) -> None:
        def advance(offset: int) -> None:
            self._show(blob, LayerStatus.DOWNLOADING, offset)

        async def began(address: str) -> None:
            await self._ledger.began(blob, address)

        await copy_blob(blob, self._source, self._target, kept=kept, began=began, advance=advance)

    async def _put_children(self) -> None:
        """Put all but the root: side by side those that refer to no other manifest, then the indexes above them."""
        below = self._plan.manifests[:-1]
        await gather_all([self._put_child(manifest) for manifest in below if not manifest.is_index])
        for index in (manifest for manifest in below if manifest.is_index):
            await self._put_child(index)

    async def _put_child(self, manifest: Manifest) -> None:
        reference = str(manifest.digest)
        async with self._puts:
            if manifest.digest in self._absent or await self._target.find_manifest(reference) is None:
                await self._put(reference, manifest)

    async def _publish(self, tag: str, fence: Fence) -> None:
        """Make the tag point to the root; one that does already is left alone, since it may be immutable."""
        _, found = await gather_all([fence(), self._target.find_manifest(tag)])
        if self._referrers and self._referrers.any_found:
            await self._put_child(self._plan.root)
            await self._referrers.put()
        if found != self._plan.root.digest:
            await self._put(tag, self._plan.root, fence)
            await self._confirm(tag)

    async def _put(self, reference: str, manifest: Manifest, fence: Fence | None = None) -> None:
        """Put a manifest; what it refers to is brought again, once, where the target lost it since it was seen."""
        try:
            await self._put_one(reference, manifest, fence)
        except LongshoreError as error:
            if error.code != Code.TARGET_BLOB_UNKNOWN:
                raise
            # What came since then is there.
            self._absent = frozenset()
            await self._copy_blobs(manifest.blobs)
            below = {child.digest for child in manifest.manifests}
            for child in self._plan.manifests:
                if child.digest in below:
                    await self._put(str(child.digest), child)
            await self._put_one(reference, manifest, fence)

    async def _put_one(self, reference: str, manifest: Manifest, fence: Fence | None) -> None:
        values = {"longshore.reference": reference, "oci.digest": str(manifest.digest)}
        with step("put manifest", {**values, "longshore.bytes": len(manifest.content)}):
            await self._target.put_manifest(reference, manifest, before=fence)

    async def _confirm(self, tag: str) -> None:
        found = await self._target.find_manifest(tag)
        if found != self._plan.root.digest:
            raise LongshoreError(
                Code.TARGET_DIGEST_MISMATCH, f"The tag {tag} points to {found}, not to {self._plan.root.digest}."
            )

    def _show(self, blob: Descriptor, status: LayerStatus, offset: int, transfer: Transfer | None = None) -> None:
        layer = LayerProgress(size=blob.size, offset=offset, status=status, transfer=transfer)
        self._board.show(blob.digest, layer)


async def _wait(ended: asyncio.Event) -> None:
    """Wait for the event, but only until it is time to ask again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(FLIGHT_INTERVAL):
            await ended.wait()
