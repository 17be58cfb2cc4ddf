"""Collects an index's manifests from its source."""

import asyncio
from collections.abc import Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_CHILDREN, Manifest
from shared.planning.budget import PlanBudget
from shared.planning.source import ReadableImage
from shared.runtime.concurrency import gather_all

# Levels of nested indexes: deeper nesting has no known use.
MAX_DEPTH = 3
# Concurrent manifest requests to one source: enough to hide latency, few enough not to look like an attack.
MANIFESTS_AT_ONCE = 6


class Walk:
    """Fetches manifests, children before parents, each once and within a budget."""

    def __init__(self, source: ReadableImage, budget: PlanBudget) -> None:
        self._source = source
        self._budget = budget
        self._slots = asyncio.Semaphore(MANIFESTS_AT_ONCE)
        self._seen: set[Digest] = set()

    async def collect(self, manifest: Manifest, depth: int = 1) -> tuple[Manifest, ...]:
        """Return the manifest's descendants, and itself last; the caller has counted the manifest itself.

        Raises `manifest_unsupported` for too many levels or children, and `image_too_large` at the budget's limits.
        """
        if depth > MAX_DEPTH:
            raise LongshoreError(Code.MANIFEST_UNSUPPORTED, f"The index is nested more than {MAX_DEPTH} levels deep.")
        fresh = {child.digest: child for child in manifest.manifests if child.digest not in self._seen}
        self._seen.update(fresh)
        if len(self._seen) > MAX_CHILDREN:
            raise LongshoreError(Code.MANIFEST_UNSUPPORTED, f"The image has more than {MAX_CHILDREN} manifests.")
        self._budget.reserve(tuple(fresh.values()))
        below: list[Manifest] = []
        for child in await self._fetch_all(tuple(fresh.values())):
            below += await self.collect(child, depth + 1) if child.is_index else (child,)
        return (*below, manifest)

    async def _fetch_all(self, children: Sequence[Descriptor]) -> Sequence[Manifest]:
        return await gather_all([self._fetch(child) for child in children])

    async def _fetch(self, child: Descriptor) -> Manifest:
        async with self._slots:
            manifest = await self._source.fetch_manifest(child.digest, child.size)
            self._budget.add((manifest,))
            return manifest
