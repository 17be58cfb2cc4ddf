"""An image's config, as far as an import reads it: for what the image runs on, and how it describes itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.oci import media_types
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.platform import Platform
from shared.planning.mismatch import blob_digest_mismatch
from shared.planning.source import ReadableImage

# A config lists environment, history and labels; larger ones are copied without being read. Bytes.
MAX_CONFIG_SIZE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """A config's document, and its bytes by digest; both empty for other artifacts and odd configs."""

    document: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The one platform that the config names, if it does."""
        try:
            return (Platform.of(*(self.document.get(key) for key in ("os", "architecture", "variant"))),)
        except ValueError:
            return ()

    @property
    def labels(self) -> object:
        """What stands where the labels should: a mapping, as a rule."""
        section = self.document.get("config")
        return section.get("Labels") if isinstance(section, dict) else None


async def read_config(source: ReadableImage, manifest: Manifest) -> ImageConfig:
    """Read a manifest's config; raises `blob_digest_mismatch`, and whatever the source raises."""
    config = manifest.config
    if config is None or config.media_type not in media_types.IMAGE_CONFIGS or config.size > MAX_CONFIG_SIZE:
        return ImageConfig()
    async with source.open_blob(config) as chunks:
        content = b"".join([chunk async for chunk in chunks])
    if not config.digest.matches(content):
        raise blob_digest_mismatch(config)
    return ImageConfig(document=_parsed(content), contents={config.digest: content})


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
