"""The platforms that an image offers, and the check that they include the wanted ones."""

from collections.abc import Iterable, Sequence

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci import media_types
from shared.oci.manifest import Manifest, missing_platforms, platforms_of
from shared.oci.platform import Platform
from shared.planning.image_config import read_config
from shared.planning.source import ReadableImage


async def glimpse_platforms(source: ReadableImage, manifest: Manifest) -> tuple[Platform, ...] | None:
    """Return the image's platforms from its top manifest alone; None where it has nested indexes."""
    if not manifest.is_index:
        return (await read_config(source, manifest)).platforms
    nested = any(child.media_type in media_types.INDEXES for child in manifest.manifests)
    return None if nested else offered_platforms((manifest,))


def offered_platforms(manifests: Iterable[Manifest]) -> tuple[Platform, ...]:
    """Return the platforms that the indexes among these manifests name, each once."""
    return tuple({platform: None for manifest in manifests for platform in platforms_of(manifest)})


def require_platforms(available: Sequence[Platform], wanted: Sequence[Platform]) -> None:
    """Raise `platform_not_available`, naming the available ones, unless every wanted platform is available."""
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
