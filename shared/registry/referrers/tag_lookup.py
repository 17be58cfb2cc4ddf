"""Finds out which of several tags a repository has, without a request for each of them where that can be helped."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.registry.repository import Repository
from shared.runtime.concurrency import gather_all

# Seconds for the list of tags. Storage without folders makes a registry with many tags slow at it; then the tags are
# asked for one by one.
LIST_PATIENCE = 5.0
# Requests at a time: enough to hide latency, few enough not to look like an attack.
REQUESTS_AT_ONCE = 6


class TagLookup:
    """Knows a repository's tags as they were when first asked; an import asks within minutes."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.slots = asyncio.Semaphore(REQUESTS_AT_ONCE)
        """Places that all requests of one lookup share."""
        self._listed: asyncio.Task[Collection[str] | None] | None = None

    async def find(self, tags: Sequence[str]) -> Mapping[str, Digest]:
        """Return what those of the tags point to that exist."""
        listed = await self._list()
        asked = tags if listed is None else [tag for tag in tags if tag in listed]
        found = await gather_all([self._find(tag) for tag in asked])
        return {tag: digest for tag, digest in zip(asked, found, strict=True) if digest}

    async def _find(self, tag: str) -> Digest | None:
        """HEAD: Docker Hub meters GETs."""
        async with self.slots:
            found = await self._repository.find_manifest(tag)
        return found.digest if found else None

    async def _list(self) -> Collection[str] | None:
        """Return all tags, where one page has them; None where they are too many, or not to be had."""
        if self._listed is None:
            self._listed = asyncio.ensure_future(self._list_once())
        return await self._listed

    async def _list_once(self) -> Collection[str] | None:
        try:
            async with asyncio.timeout(LIST_PATIENCE):
                listed = await self._repository.list_first_tags()
        except (LongshoreError, TimeoutError) as error:
            if isinstance(error, LongshoreError) and error.kind.parks:
                raise
            return None
        return None if listed is None else frozenset(listed)
