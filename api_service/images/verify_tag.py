"""Verifies that the target still serves a ready image: other clients may delete and move tags there as well."""

import asyncio
from dataclasses import dataclass

import structlog

from shared.db import images
from shared.db.database import Database
from shared.db.images import Image
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.target.management import TargetManagement

# Limit for one check by the patrol, which no request waits for. Seconds.
DEADLINE = 5.0

_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagVerifier:
    """Compares ready images with the target's tags. `registry_host` is the target's public name."""

    database: Database
    target: TargetManagement
    registry_host: str

    async def verify(self, image: Image, *, within: float = DEADLINE) -> bool:
        """Return whether the target serves the image, within so many seconds; if not, mark the image as failed.

        Raises the target's error, which leaves the image as it is.
        """
        found = await self._find(image, within)
        if found == image.digest:
            return True
        async with self.database.connection() as connection:
            await images.mark_lost(connection, image)
        _logger.warning("image.lost", image_id=image.id, repository=image.repository, tag=image.tag, found=found)
        return False

    async def _find(self, image: Image, within: float) -> str | None:
        try:
            async with asyncio.timeout(within):
                found = await self.target.find_tag(image.repository, image.tag)
        except TimeoutError:
            raise LongshoreError(
                Code.TARGET_STALLED, f"The target did not answer a request for the tag within {within:.0f} seconds."
            ) from None
        return str(found) if found else None
