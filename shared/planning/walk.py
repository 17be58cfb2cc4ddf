"""Collects an index's manifests from its source."""

import asyncio
from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_CHILDREN, Manifest
from shared.planning.source import ReadableImage
from shared.runtime.concurrency import gather_all

# Levels of nested indexes: deeper nesting has no known use.
MAX_DEPTH = 3
# Concurrent manifest requests to one source: enough to hide latency, few enough not to look like an attack.
MANIFESTS_AT_ONCE = 6


class Walk:
    """Fetches manifests, children before parents, each once."""

    def __init__(self, source: ReadableImage) -> None:
        self._source = source
        self._slots = asyncio.Semaphore(MANIFESTS_AT_ONCE)
        self._seen: set[Digest] = set()

    async def collect(self, manifest: Manifest, depth: int = 1) -> tuple[Manifest, ...]:
        """Return the manifest's descendants, and itself last; raises `manifest_unsupported` at the limits."""
        if depth > MAX_DEPTH:
            raise LongshoreError(Code.MANIFEST_UNSUPPORTED, f"The index is nested more than {MAX_DEPTH} levels deep.")
        fresh = {child.digest: child for child in manifest.manifests if child.digest not in self._seen}
        self._seen.update(fresh)
        if len(self._seen) > MAX_CHILDREN:
            raise LongshoreError(Code.MANIFEST_UNSUPPORTED, f"The image has more than {MAX_CHILDREN} manifests.")
        below: list[Manifest] = []
        for child in await self._fetch_all(tuple(fresh)):
            below += await self.collect(child, depth + 1) if child.is_index else (child,)
        return (*below, manifest)

    async def _fetch_all(self, digests: Sequence[Digest]) -> Sequence[Manifest]:
        return await gather_all([self._fetch(digest) for digest in digests])

    async def _fetch(self, digest: Digest) -> Manifest:
        async with self._slots:
            return await self._source.fetch_manifest(digest)
