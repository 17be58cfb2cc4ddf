"""The target's tag as an import finds it: which digest it points to, and whether an import of the image wrote that.

A tag that no import of Longshore's wrote is foreign: it may be replaced with `force`, where a rule allows that.
"""

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from api_service.rules.authorize import ForeignTag
from shared.db import imports
from shared.db.database import Connection
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import NO_TAG
from shared.target.management import TargetManagement

# The API looks while it resolves the source, and accepts the import without an answer after this time; the worker's
# first request looks again. Seconds; the API answers within five.
LOOK_DEADLINE = 2.0
# The target's errors for a repository that does not exist yet. Harbor denies access to a project that does not exist.
# If the account only lacks the right to look, the worker, which looks before it writes, finds the tag.
_ABSENT = frozenset({Code.TARGET_NOT_FOUND, Code.TARGET_PROJECT_MISSING, Code.TARGET_DENIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTag:
    """The tag at one moment: `digest` is NO_TAG if it does not exist.

    `pushed_at` is None where the target does not tell.
    """

    digest: str = NO_TAG
    pushed_at: datetime | None = None

    def foreign(self, written: AbstractSet[str]) -> ForeignTag | None:
        """Return the tag if it exists, and points to none of the digests that imports of the image wrote."""
        if self.digest == NO_TAG or self.digest in written:
            return None
        return ForeignTag(digest=self.digest, pushed_at=self.pushed_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTags:
    """Looks tags up in the target."""

    management: TargetManagement

    async def find(self, repository: str, tag: str) -> FoundTag | None:
        """Return the tag; None if the target does not answer, or not in time."""
        try:
            async with asyncio.timeout(LOOK_DEADLINE):
                return await self.read(repository, tag)
        except (TimeoutError, LongshoreError):
            return None

    async def look(self, repository: str, tag: str) -> FoundTag:
        """Return the tag; raises the target's error, also where the repository does not exist yet."""
        found = await self.management.look_up_tag(repository, tag)
        return FoundTag(digest=str(found.digest), pushed_at=found.pushed_at) if found else FoundTag()

    async def read(self, repository: str, tag: str) -> FoundTag:
        """Return the tag, which a repository that does not exist lacks; raises the target's other errors."""
        try:
            return await self.look(repository, tag)
        except LongshoreError as error:
            if error.code not in _ABSENT:
                raise
            return FoundTag()


async def find_foreign(connection: Connection, found: FoundTag | None, image_id: int | None) -> ForeignTag | None:
    """Return the tag if no import of this image wrote it; None stands for an image that is new."""
    if found is None or found.digest == NO_TAG:
        return None
    return found.foreign(await imports.digests_written(connection, image_id) if image_id is not None else frozenset())
