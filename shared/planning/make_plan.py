"""Finds out what an import has to bring.

Reads manifests and one small config (for the platform and the description); moves nothing.
"""

import asyncio
from collections.abc import Mapping, Sequence

from shared.concurrency import gather_all
from shared.errors import LongshoreError
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_CHILDREN, Manifest, select_platforms, trim_index
from shared.oci.platform import Platform
from shared.planning.description import describe
from shared.planning.image_config import ImageConfig, read_config
from shared.planning.plan import ImportPlan, shown_platform
from shared.planning.platforms import offered_platforms, require_platforms
from shared.planning.source import ReadableImage

# An index within an index within an index: deeper nesting has no known use.
MAX_DEPTH = 3
# Manifests fetched at a time from one source: enough to hide latency, few enough not to look like an attack.
MANIFESTS_AT_ONCE = 6


async def make_plan(source: ReadableImage, digest: Digest, wanted: Sequence[Platform]) -> ImportPlan:
    """Read what the image with this digest consists of, cut to the wanted platforms (none: all of them).

    Raises `platform_not_available`, `manifest_unsupported`, and whatever the source raises.
    """
    root = await source.fetch_manifest(digest)
    if root.is_index:
        return await _plan_index(source, root, wanted)
    return await _plan_image(source, root, wanted)


async def _plan_image(source: ReadableImage, manifest: Manifest, wanted: Sequence[Platform]) -> ImportPlan:
    """Plan an image without an index; its platform stands in its config."""
    config = await read_config(source, manifest)
    require_platforms(config.platforms, wanted)
    return ImportPlan(
        source_digest=manifest.digest,
        manifests=(manifest,),
        platforms=config.platforms,
        partial=False,
        description=describe((manifest,), config),
        contents=config.contents,
    )


async def _plan_index(source: ReadableImage, index: Manifest, wanted: Sequence[Platform]) -> ImportPlan:
    manifests = await _Walk(source).collect(index)
    require_platforms(offered_platforms(manifests), wanted)
    kept = _trimmed(index, wanted, {manifest.digest: manifest for manifest in manifests}) if wanted else manifests
    platforms = offered_platforms(kept)
    shown = _manifest_for(shown_platform(platforms), kept)
    config = await read_config(source, shown) if shown else ImageConfig()
    return ImportPlan(
        source_digest=index.digest,
        manifests=kept,
        platforms=platforms,
        partial=kept[-1].digest != index.digest,
        description=describe((index, shown) if shown else (index,), config),
        contents=config.contents,
    )


class _Walk:
    """Collects an index's manifests, children before parents, each once."""

    def __init__(self, source: ReadableImage) -> None:
        self._source = source
        self._slots = asyncio.Semaphore(MANIFESTS_AT_ONCE)
        self._seen: set[Digest] = set()

    async def collect(self, manifest: Manifest, depth: int = 1) -> tuple[Manifest, ...]:
        if depth > MAX_DEPTH:
            raise LongshoreError("manifest_unsupported", f"The index is nested more than {MAX_DEPTH} levels deep.")
        fresh = {child.digest: child for child in manifest.manifests if child.digest not in self._seen}
        self._seen.update(fresh)
        if len(self._seen) > MAX_CHILDREN:
            raise LongshoreError("manifest_unsupported", f"The image has more than {MAX_CHILDREN} manifests.")
        below: list[Manifest] = []
        for child in await self._fetch_all(tuple(fresh)):
            below += await self.collect(child, depth + 1) if child.is_index else (child,)
        return (*below, manifest)

    async def _fetch_all(self, digests: Sequence[Digest]) -> Sequence[Manifest]:
        return await gather_all([self._fetch(digest) for digest in digests])

    async def _fetch(self, digest: Digest) -> Manifest:
        async with self._slots:
            return await self._source.fetch_manifest(digest)


def _trimmed(index: Manifest, wanted: Sequence[Platform], known: Mapping[Digest, Manifest]) -> tuple[Manifest, ...]:
    """Cut an index to the wanted platforms: what is left below it, children first, and the index written anew last.

    Empty when nothing is left.
    """
    chosen = {child.digest for child in select_platforms(index, wanted)}
    below: list[Manifest] = []
    left: dict[Digest, Manifest] = {}
    for child in (known[child.digest] for child in index.manifests):
        kept = _trimmed(child, wanted, known) if child.is_index else (child,) * (child.digest in chosen)
        if kept:
            below += kept
            left[child.digest] = kept[-1]
    return (*below, trim_index(index, left)) if left else ()


def _manifest_for(platform: Platform | None, manifests: Sequence[Manifest]) -> Manifest | None:
    """Return the manifest of this platform, else the first that is no index; None where all are indexes."""
    digests = {child.digest for manifest in manifests for child in manifest.manifests if child.platform == platform}
    images = [manifest for manifest in manifests if not manifest.is_index]
    fitting = [manifest for manifest in images if manifest.digest in digests]
    return next(iter((*fitting, *images)), None)
