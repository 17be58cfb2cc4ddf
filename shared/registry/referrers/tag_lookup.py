"""Finds the existing ones among several tags of a repository, if possible without one request per tag."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_all

# Seconds for the list of tags. A registry with many tags on object storage is slow to list them; after this time the
# tags are looked up one by one.
LIST_TIMEOUT = 5.0
# Concurrent requests: enough to hide latency, few enough not to look like an attack.
REQUESTS_AT_ONCE = 6


class TagLookup:
    """Looks tags up in one repository. The list of tags is read once, because an import needs it only for minutes."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        """Bounds all requests of one lookup."""
        self._listed: asyncio.Task[Collection[str] | None] | None = None

    async def find(self, tags: Sequence[str]) -> Mapping[str, Digest]:
        """Return the digests of those tags that exist."""
        listed = await self._list()
        candidates = tags if listed is None else [tag for tag in tags if tag in listed]
        found = await gather_all([self._find(tag) for tag in candidates])
        return {tag: digest for tag, digest in zip(candidates, found, strict=True) if digest}

    async def _find(self, tag: str) -> Digest | None:
        """Look one tag up by HEAD, because Docker Hub meters GETs."""
        async with self.slots:
            found = await self._repository.find_manifest(tag)
        return found.digest if found else None

    async def _list(self) -> Collection[str] | None:
        """Return all tags if they fit on one page; None if there are too many or the registry does not list them."""
        if self._listed is None:
            self._listed = asyncio.ensure_future(self._list_once())
        return await self._listed

    async def _list_once(self) -> Collection[str] | None:
        try:
            async with asyncio.timeout(LIST_TIMEOUT):
                listed = await self._repository.list_first_tags()
        except (LongshoreError, TimeoutError) as error:
            if isinstance(error, LongshoreError) and error.kind.parks:
                raise
            return None
        return None if listed is None else frozenset(listed)
