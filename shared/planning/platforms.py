"""Which platforms an image offers, and whether those that are wanted are among them."""

from collections.abc import Iterable, Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci import media_types
from shared.oci.manifest import Manifest, missing_platforms, platforms_of
from shared.oci.platform import Platform
from shared.planning.image_config import read_config
from shared.planning.source import ReadableImage


async def glimpse_platforms(source: ReadableImage, manifest: Manifest) -> tuple[Platform, ...] | None:
    """Return what the image offers by its own account; None where telling takes more than a look at its top."""
    if not manifest.is_index:
        return (await read_config(source, manifest)).platforms
    nested = any(child.media_type in media_types.INDEXES for child in manifest.manifests)
    return None if nested else offered_platforms((manifest,))


def offered_platforms(manifests: Iterable[Manifest]) -> tuple[Platform, ...]:
    """Return the platforms that the indexes among these name, each once."""
    return tuple({platform: None for manifest in manifests for platform in platforms_of(manifest)})


def require_platforms(available: Sequence[Platform], wanted: Sequence[Platform]) -> None:
    """Raise `platform_not_available`, naming what there is, unless every wanted platform is available."""
    missing = missing_platforms(available, wanted)
    if missing:
        offered = _listed(available) or "no platform by name"
        raise LongshoreError(
            Code.PLATFORM_NOT_AVAILABLE,
            f"The image does not exist for {_listed(missing)}; it offers {offered}.",
            fields={"platforms": f"available: {offered}"},
        )


def _listed(platforms: Sequence[Platform]) -> str:
    return ", ".join(map(str, platforms))
