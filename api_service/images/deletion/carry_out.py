"""The other steps of a deletion that has begun: take the tag from the target, then delete the row.

Each may be repeated. Whatever stops one, the image is left as it was, or the deletion is gone on with later; never is
an image called ready that the target was seen to have lost.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from api_service.images.deletion.begin import BegunDeletion
from shared.db import blobs, deletions, images
from shared.db.database import Database
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import ImageStatus
from shared.oci.digest import Digest
from shared.target.management import TargetManagement
from shared.target.removal import Removal

# What the target has for a look, and for its part of the deletion. Seconds; a repository with a thousand tags takes a
# few. Both together stay well below the lease, so that nobody else begins while the target may still be at it.
DEADLINE = 20.0
# After a target failed in the middle of a deletion, it is gone on with as soon as this. Seconds.
RESUME_AFTER = 10.0

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionWork:
    """What deletions need. `registry_host` is the target's public name, `registry` its name in the blob ledger."""

    database: Database
    target: TargetManagement
    registry_host: str
    registry: str

    async def carry_out(self, begun: BegunDeletion) -> Removal:
        """Bring the deletion to its end and return what went from the target.

        Raises what the target fails of: the image then stays, or is gone on with where something is gone already.
        """
        removal = await self._remove(begun) if self._is_here(begun) else Removal.NOTHING
        async with self.database.transaction() as connection:
            if removal is not Removal.TAG:
                await blobs.forget_image(connection, self.registry, begun.image.id)
            await deletions.finish(connection, begun.image.id, begun.until)
        _logger.info("image.deleted", image_id=begun.image.id, repository=begun.image.repository, removed=removal.value)
        return removal

    def _is_here(self, begun: BegunDeletion) -> bool:
        """An image of a target that was replaced since is only forgotten: the new one's tags are not its own."""
        return begun.image.registry_host == self.registry_host

    async def _remove(self, begun: BegunDeletion) -> Removal:
        try:
            digest = await self._digest_to_remove(begun)
        except LongshoreError as error:
            await self._after_no_look(begun, error)
            raise
        if digest is None:
            return Removal.NOTHING
        try:
            return await self._remove_tag(begun, digest)
        except LongshoreError as error:
            return await self._after_failure(begun, digest, error)

    async def _digest_to_remove(self, begun: BegunDeletion) -> Digest | None:
        """Return what the tag is to be taken off: what Longshore put there, and not what somebody else did."""
        found = await self._find(begun)
        if found and str(found) in begun.tagged:
            return found
        return Digest.parse(begun.image.digest) if begun.image.digest else None

    async def _find(self, begun: BegunDeletion) -> Digest | None:
        async with _deadline():
            return await self.target.find_tag(begun.image.repository, begun.image.tag)

    async def _remove_tag(self, begun: BegunDeletion, digest: Digest) -> Removal:
        image = begun.image
        async with self.database.connection() as connection:
            siblings = await deletions.has_sibling(connection, image.id, str(digest))
        async with _deadline():
            removal = await self.target.remove_tag(image.repository, image.tag, digest, siblings=siblings)
            if removal is not Removal.TAG:
                await self.target.remove_referrer_tags(
                    image.repository, digest, is_managed=partial(self._is_managed, image.repository)
                )
        return removal

    async def _is_managed(self, repository: str, tag: str) -> bool:
        """Return whether a tag is an image of its own."""
        async with self.database.connection() as connection:
            found = await images.find_image(
                connection, registry_host=self.registry_host, repository=repository, tag=tag
            )
        return found is not None

    async def _after_no_look(self, begun: BegunDeletion, error: LongshoreError) -> None:
        """Leave an image alone that nobody has touched; of another one it is not known what is left of it."""
        if begun.resumed and error.kind.retryable:
            await self._go_on_later(begun)
        else:
            await self._let_go(begun, ImageStatus.FAILED if begun.resumed else None)

    async def _after_failure(self, begun: BegunDeletion, digest: Digest, error: LongshoreError) -> Removal:
        """Look what is left: the image as it was, or one whose tag is gone."""
        try:
            found = await self._find(begun)
        except LongshoreError:
            await self._go_on_later(begun)
            raise error from None
        if found == digest:
            await self._let_go(begun, ImageStatus.READY if str(digest) == begun.image.digest else None)
            raise error
        if error.kind.retryable and not begun.resumed:
            await self._go_on_later(begun)
            raise error
        # The tag is gone, which was asked for. That the manifest does not go as well, now or at all, is no reason to
        # keep the image, and with it everybody else's tags in this repository waiting.
        _logger.warning("image.manifest_stays", image_id=begun.image.id, digest=str(digest), reason=str(error))
        return Removal.TAG

    async def _let_go(self, begun: BegunDeletion, status: ImageStatus | None) -> None:
        """Take the mark off; the caller may try again."""
        async with self.database.connection() as connection:
            await deletions.abandon(connection, begun.image.id, begun.until, status=status)

    async def _go_on_later(self, begun: BegunDeletion) -> None:
        """Keep the mark on an image that is broken, for whoever finishes deletions."""
        async with self.database.connection() as connection:
            await deletions.suspend(connection, begun.image.id, begun.until, delay=RESUME_AFTER)


@asynccontextmanager
async def _deadline() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except TimeoutError:
        raise LongshoreError(
            Code.TARGET_STALLED, f"The target did not end its part of the deletion within {DEADLINE:.0f} seconds."
        ) from None
