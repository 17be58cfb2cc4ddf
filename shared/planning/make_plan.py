"""Plans an import: finds the manifests and blobs that the target must hold.

Reads manifests and one small config (for the platform and the description); copies nothing.
"""

from collections.abc import Mapping, Sequence

from shared.errors.codes import Code
from shared.http_client.unreadable import reads_content
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest, select_platforms, trim_index
from shared.oci.platform import Platform
from shared.planning.budget import DEFAULT_LIMITS, NO_LIMITS, PlanBudget, PlanLimits
from shared.planning.image_config import ImageConfig, describe, read_config
from shared.planning.plan import ImportPlan, shown_platform
from shared.planning.platforms import offered_platforms, require_platforms
from shared.planning.source import ReadableImage
from shared.planning.walk import Walk
from shared.runtime.concurrency import run_aside


async def make_plan(
    source: ReadableImage, digest: Digest, wanted: Sequence[Platform], limits: PlanLimits = DEFAULT_LIMITS
) -> ImportPlan:
    """Read the manifests of the image with this digest, restricted to the wanted platforms (none: all of them).

    Raises `platform_not_available`, `manifest_unsupported`, `image_too_large` and the source's errors.
    """
    root = await source.fetch_manifest(digest)
    if root.is_index:
        return await _plan_index(source, root, wanted, limits)
    PlanBudget(limits).add((root,))
    return await _plan_image(source, root, wanted)


async def _plan_image(source: ReadableImage, manifest: Manifest, wanted: Sequence[Platform]) -> ImportPlan:
    """Plan an image without an index; its config names its platform."""
    config = await read_config(source, manifest)
    require_platforms(config.platforms, wanted)
    return ImportPlan(
        source_digest=manifest.digest,
        manifests=(manifest,),
        platforms=config.platforms,
        partial=False,
        description=await run_aside(manifest.size, lambda: describe((manifest,), config)),
        contents=config.contents,
    )


async def _plan_index(
    source: ReadableImage, index: Manifest, wanted: Sequence[Platform], limits: PlanLimits
) -> ImportPlan:
    budget = PlanBudget(NO_LIMITS if wanted else limits)
    budget.add((index,))
    manifests = await Walk(source, budget).collect(index)
    require_platforms(offered_platforms(manifests), wanted)
    kept = manifests
    if wanted:
        known = {manifest.digest: manifest for manifest in manifests}
        kept = await run_aside(sum(manifest.size for manifest in manifests), lambda: _trimmed(index, wanted, known))
        PlanBudget(limits).add(kept)
    platforms = offered_platforms(kept)
    shown = _manifest_for(shown_platform(platforms), kept)
    config = await read_config(source, shown) if shown else ImageConfig()
    described = (index, shown) if shown else (index,)
    return ImportPlan(
        source_digest=index.digest,
        manifests=kept,
        platforms=platforms,
        partial=kept[-1].digest != index.digest,
        description=await run_aside(sum(each.size for each in described), lambda: describe(described, config)),
        contents=config.contents,
    )


@reads_content(Code.MANIFEST_UNSUPPORTED)
def _trimmed(index: Manifest, wanted: Sequence[Platform], known: Mapping[Digest, Manifest]) -> tuple[Manifest, ...]:
    """Trim an index to the wanted platforms: return the remaining manifests, children first, the new index last.

    Empty where none remains.
    """
    chosen = {child.digest for child in select_platforms(index, wanted)}
    below: list[Manifest] = []
    kept_by_digest: dict[Digest, Manifest] = {}
    for child in (known[child.digest] for child in index.manifests):
        kept = _trimmed(child, wanted, known) if child.is_index else (child,) * (child.digest in chosen)
        if kept:
            below += kept
            kept_by_digest[child.digest] = kept[-1]
    return (*below, trim_index(index, kept_by_digest)) if kept_by_digest else ()


def _manifest_for(platform: Platform | None, manifests: Sequence[Manifest]) -> Manifest | None:
    """Return the manifest for this platform, else the first that is no index; None where all are indexes."""
    digests = {child.digest for manifest in manifests for child in manifest.manifests if child.platform == platform}
    images = [manifest for manifest in manifests if not manifest.is_index]
    fitting = [manifest for manifest in images if manifest.digest in digests]
    return next(iter((*fitting, *images)), None)
