"""The other steps of a deletion: remove the tag from the target, then delete the image's row.

Each step may be repeated. If one fails, the image is left unchanged, or the deletion is resumed later; an image that
the target is known to have lost is never shown as ready. Why: docs/decisions/0012 and 0014.
"""

from dataclasses import dataclass
from functools import partial

import structlog

from api_service.images.deletion.begin import BegunDeletion
from shared.db import blobs, companion_tags, deletions, images
from shared.db.database import Database
from shared.errors.error import LongshoreError
from shared.model.states import ImageStatus
from shared.oci import referrer
from shared.oci.digest import Digest
from shared.target.deadline import target_deadline
from shared.target.management import Removal, TargetManagement

# The limit for finding the tag, and again for removing it. Seconds; a repository with a thousand tags takes a few. Both
# together stay well below the lease, so that no other instance resumes while the target may still be working.
DEADLINE = 20.0
FINISH = "finish its part of the deletion"
# A deletion is resumed this long after the target failed during it. Seconds.
RESUME_AFTER = 10.0
# Rows of an image's history that one transaction deletes: some tens of milliseconds.
HISTORY_BATCH = 5_000

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionWork:
    """Carries deletions out. `registry_host` is the target's public name, `registry` its name in the blob ledger."""

    database: Database
    target: TargetManagement
    registry_host: str
    registry: str

    async def carry_out(self, begun: BegunDeletion) -> Removal:
        """Finish the deletion and return what was removed from the target.

        Raises the target's error. The image is left unchanged, or its deletion is resumed later if the tag is already
        gone.
        """
        removal = await self._remove(begun) if self._is_here(begun) else Removal.NOTHING
        await self._delete_rows(begun, removal)
        _logger.info(
            "deletion.finished", image_id=begun.image.id, repository=begun.image.repository, removed=removal.value
        )
        return removal

    async def _delete_rows(self, begun: BegunDeletion, removal: Removal) -> None:
        """Delete the image's rows, in small transactions; a deletion that ends before the last one is resumed."""
        image_id = begun.image.id
        if removal is not Removal.TAG:
            async with self.database.transaction() as connection:
                await blobs.forget_image(connection, self.registry, image_id)
        deleted = 1
        while deleted:
            async with self.database.transaction() as connection:
                deleted = await deletions.delete_history(connection, image_id, begun.until, limit=HISTORY_BATCH)
        async with self.database.connection() as connection:
            await deletions.finish(connection, image_id, begun.until)

    def _is_here(self, begun: BegunDeletion) -> bool:
        """Return whether the image is in this target; the tags of another target's images are not touched."""
        return begun.image.registry_host == self.registry_host

    async def _remove(self, begun: BegunDeletion) -> Removal:
        try:
            digest = await self._digest_to_remove(begun)
        except LongshoreError as error:
            await self._after_failed_lookup(begun, error)
            raise
        if digest is None:
            return Removal.NOTHING
        try:
            return await self._remove_tag(begun, digest)
        except LongshoreError as error:
            return await self._after_failure(begun, digest, error)

    async def _digest_to_remove(self, begun: BegunDeletion) -> Digest | None:
        """Return the digest to remove the tag from: the one that Longshore wrote, not another client's."""
        found = await self._find(begun)
        if found and str(found) in begun.tagged:
            return found
        return Digest.parse(begun.image.digest) if begun.image.digest else None

    async def _find(self, begun: BegunDeletion) -> Digest | None:
        async with target_deadline(DEADLINE, FINISH):
            return await self.target.find_tag(begun.image.repository, begun.image.tag)

    async def _remove_tag(self, begun: BegunDeletion, digest: Digest) -> Removal:
        image = begun.image
        async with self.database.connection() as connection:
            siblings = await deletions.has_sibling(connection, image.id, str(digest))
        async with target_deadline(DEADLINE, FINISH):
            removal = await self.target.remove_tag(image.repository, image.tag, digest, siblings=siblings)
            if removal is not Removal.TAG:
                await self.target.remove_referrer_tags(
                    image.repository, digest, is_ours=partial(self._is_ours, image.repository)
                )
                await self._forget_companions(image.repository, digest)
        return removal

    async def _is_ours(self, repository: str, tag: str, digest: Digest) -> bool:
        """Return whether an import wrote a companion tag or a list of referrers, and it is no image of its own."""
        async with self.database.connection() as connection:
            if not await companion_tags.is_written(connection, self.registry, repository, tag, str(digest)):
                return False
            found = await images.find_image(
                connection, registry_host=self.registry_host, repository=repository, tag=tag
            )
        return found is None

    async def _forget_companions(self, repository: str, digest: Digest) -> None:
        tags = (*referrer.companion_tags(digest), referrer.referrers_tag(digest))
        async with self.database.connection() as connection:
            await companion_tags.forget(connection, self.registry, repository, tags)

    async def _after_failed_lookup(self, begun: BegunDeletion, error: LongshoreError) -> None:
        """Unmark an image that was not changed; of a resumed deletion it is unknown which steps are done."""
        if begun.resumed and error.kind.retryable:
            await self._resume_later(begun)
        else:
            await self._unmark(begun, ImageStatus.FAILED if begun.resumed else None)

    async def _after_failure(self, begun: BegunDeletion, digest: Digest, error: LongshoreError) -> Removal:
        """Check what the target still has, and unmark the image, or resume later, or finish without the manifest."""
        try:
            found = await self._find(begun)
        except LongshoreError:
            await self._resume_later(begun)
            raise error from None
        if found == digest:
            await self._unmark(begun, ImageStatus.READY if str(digest) == begun.image.digest else None)
            raise error
        if error.kind.retryable and not begun.resumed:
            await self._resume_later(begun)
            raise error
        # The tag is gone, as requested. A manifest that the target does not delete is no reason to keep the mark, which
        # delays all other tags in this repository.
        _logger.warning("deletion.manifest_kept", image_id=begun.image.id, digest=str(digest), reason=str(error))
        return Removal.TAG

    async def _unmark(self, begun: BegunDeletion, status: ImageStatus | None) -> None:
        """Remove the mark; the caller may try again."""
        async with self.database.connection() as connection:
            await deletions.abandon(connection, begun.image.id, begun.until, status=status)

    async def _resume_later(self, begun: BegunDeletion) -> None:
        """Keep the mark on a damaged image, so that DeletionResumer finishes its deletion."""
        async with self.database.connection() as connection:
            await deletions.suspend(connection, begun.image.id, begun.until, delay=RESUME_AFTER)
