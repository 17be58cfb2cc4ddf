"""Finds out whether a tag of a repository needs a manifest: by pointing to it, or to an index that contains it."""

import asyncio
from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_all

# Tags that one deletion reads: small requests for a few seconds. With more tags, the manifest counts as needed, which
# costs its storage and nothing else.
MAX_TAGS = 1000
# Concurrent requests, few enough not to slow down imports.
REQUESTS_AT_ONCE = 8
# Nesting of indexes, the same as an import follows.
MAX_DEPTH = 3
# The code for a manifest that cannot be parsed; its references are unknown.
UNREADABLE = Code.TARGET_PROTOCOL_ERROR


async def is_needed(repository: Repository, digest: Digest, *, other_than: str) -> bool:
    """Return whether any other tag leads to the digest; True in doubt."""
    tags = await repository.list_tags()
    if len(tags) > MAX_TAGS:
        return True
    search = _Search(repository, digest)
    return any(await gather_all([search.from_tag(tag) for tag in tags if tag != other_than]))


class _Search:
    """Follows tags and indexes; reads every index once."""

    def __init__(self, repository: Repository, digest: Digest) -> None:
        self._repository = repository
        self._digest = digest
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._seen: set[Digest] = set()

    async def from_tag(self, tag: str) -> bool:
        try:
            async with self._slots:
                found = await self._repository.find_manifest(tag)
            return found is not None and await self._from_manifest(found, depth=1)
        except LongshoreError as error:
            if error.code == UNREADABLE:
                return True
            raise

    async def _from_manifest(self, manifest: Descriptor, *, depth: int) -> bool:
        if manifest.digest == self._digest:
            return True
        if manifest.media_type not in media_types.INDEXES or manifest.digest in self._seen or depth > MAX_DEPTH:
            return False
        self._seen.add(manifest.digest)
        for child in await self._children(manifest.digest):
            if await self._from_manifest(child, depth=depth + 1):
                return True
        return False

    async def _children(self, digest: Digest) -> Sequence[Descriptor]:
        """Return an index's children; none where it is gone, for instance a platform that was deleted separately."""
        try:
            async with self._slots:
                return (await self._repository.get_manifest(str(digest))).manifests
        except LongshoreError as error:
            if error.code == Code.TARGET_NOT_FOUND:
                return ()
            raise
