"""Verifies that the target still serves an image: other clients may delete and move tags there as well.

An answer that speaks against an image counts only if it is proven: an ingress without its backend answers 404 to
everything, and so does an empty registry in the target's place. Why: docs/decisions/0050.
"""

from dataclasses import dataclass

import structlog

from api_service.metrics import events
from shared.db import images
from shared.db.database import Database
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.target.deadline import target_deadline
from shared.target.management import TargetManagement

# Limit for one look by the patrol, which no request waits for. Seconds.
DEADLINE = 5.0
ANSWER = "answer a request for the tag"
# Ready images that are asked for in search of one that the target serves. With half of them lost, one proof in thirty
# finds none, and is tried again in the next round.
WITNESSES = 5

_logger = structlog.get_logger(__name__)


class UnknownTargetError(LongshoreError):
    """The server in the target's place serves none of the images that it should have."""

    def __init__(self) -> None:
        super().__init__(
            Code.TARGET_UNAVAILABLE,
            "The target answers, and serves none of the ready images that it was asked for: it may be another server, "
            "or its content is not there.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TagVerifier:
    """Compares images with the target's tags. `registry_host` is the target's public name."""

    database: Database
    target: TargetManagement
    registry_host: str

    async def verify(self, image: Image, *, within: float = DEADLINE) -> bool:
        """Return whether the target serves a ready image, within so many seconds; if not, mark the image as failed.

        For a request that imports the image again if it is lost: the target's own check is proof enough. Raises the
        target's error, which leaves the image as it is.
        """
        async with target_deadline(within, ANSWER):
            if await self._serves(image):
                return True
            await self.target.check()
            if await self._serves(image):
                return True
        await self.mark_lost(image)
        return False

    async def serves(self, image: Image) -> bool:
        """Return whether the image's tag points to its digest; raises the target's error."""
        async with target_deadline(DEADLINE, ANSWER):
            return await self._serves(image)

    async def is_proven_lost(self, image: Image, witness: Image | None) -> bool:
        """Return whether the target lacks the image, after it has shown that it is the right one.

        It passes its own check, then serves the witness, or another part of what it is known to have; and only then its
        answer about this image counts. Raises UnknownTargetError if it serves nothing of that, or the target's error.
        """
        async with target_deadline(DEADLINE, ANSWER):
            await self.target.check()
        if not await self._serves_known(image, witness):
            raise UnknownTargetError
        return not await self.serves(image)

    async def mark_lost(self, image: Image) -> None:
        """Mark a ready image as failed, unless it has changed since it was read."""
        async with self.database.connection() as connection:
            if not await images.mark_lost(connection, image):
                return
        events.image_lost()
        _logger.warning("image.lost", image_id=image.id, repository=image.repository, tag=image.tag)

    async def mark_found(self, image: Image) -> None:
        """Mark a failed image, whose tag and digest are back, as ready, unless it has changed since it was read."""
        async with self.database.connection() as connection:
            if not await images.mark_found(connection, image):
                return
        events.image_found()
        _logger.info("image.found", image_id=image.id, repository=image.repository, tag=image.tag)

    async def _serves(self, image: Image) -> bool:
        found = await self.target.find_tag(image.repository, image.tag)
        return found is not None and str(found) == image.digest

    async def _serves_known(self, image: Image, witness: Image | None) -> bool:
        if witness and await self.serves(witness):
            return True
        if await self._has_manifest(image):
            return True
        async with self.database.connection() as connection:
            others = await images.some_ready_images(
                connection, registry_host=self.registry_host, but=image.id, limit=WITNESSES
            )
        for other in others:
            if await self.serves(other):
                return True
        return False

    async def _has_manifest(self, image: Image) -> bool:
        """Return whether the target has the image by its digest: a client that moves a tag leaves that behind."""
        if image.digest is None:
            return False
        async with target_deadline(DEADLINE, ANSWER):
            found = await self.target.find_tag(image.repository, image.digest)
        return found is not None and str(found) == image.digest
