"""The parts of an image's config that an import reads: its platform and its description (image-spec config.md)."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.unreadable import reads_content
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.document import check_values
from shared.oci.manifest import Manifest
from shared.oci.platform import Platform
from shared.planning.source import ReadableImage, blob_digest_mismatch
from shared.runtime.concurrency import run_aside

# A config lists environment, history and labels; larger ones are copied without being read. Bytes.
MAX_CONFIG_SIZE = 4 * 1024 * 1024
# Seconds for reading a config, as for every other answer that fits in memory.
CONFIG_SECONDS = 120.0
# The name of the annotation (image-spec annotations.md) and of the label.
DESCRIPTION = "org.opencontainers.image.description"
# The API's limit for a description, in characters.
MAX_DESCRIPTION_LENGTH = 2000
_LINES = "\n\r\t"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """A config's document, and its bytes by digest; both empty for other artifacts and invalid configs."""

    document: Mapping[str, Any] = field(default_factory=dict)
    contents: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """The one platform that the config names, if any."""
        try:
            return (Platform.of(*(self.document.get(key) for key in ("os", "architecture", "variant"))),)
        except ValueError:
            return ()

    @property
    def labels(self) -> object:
        """The value of the labels' field, normally a mapping."""
        section = self.document.get("config")
        return section.get("Labels") if isinstance(section, dict) else None


async def read_config(source: ReadableImage, manifest: Manifest) -> ImageConfig:
    """Read a manifest's config; raises `blob_digest_mismatch` and the source's errors."""
    config = manifest.config
    if config is None or config.media_type not in media_types.IMAGE_CONFIGS or config.size > MAX_CONFIG_SIZE:
        return ImageConfig()
    content = await _read_in_time(source, config)
    return await run_aside(len(content), lambda: _verified(config, content))


@reads_content(Code.MANIFEST_UNSUPPORTED)
def _verified(config: Descriptor, content: bytes) -> ImageConfig:
    if not config.digest.matches(content):
        raise blob_digest_mismatch(config)
    return ImageConfig(document=_parsed(content), contents={config.digest: content})


async def _read_in_time(source: ReadableImage, config: Descriptor) -> bytes:
    """Read a config; raises `source_stalled` if that takes too long, however often a byte arrives."""
    try:
        async with asyncio.timeout(CONFIG_SECONDS), source.open_blob(config) as chunks:
            return b"".join([chunk async for chunk in chunks])
    except TimeoutError:
        detail = f"The configuration {config.digest} did not arrive within {CONFIG_SECONDS:.0f} seconds."
        raise LongshoreError(Code.SOURCE_STALLED, detail) from None


@reads_content(Code.MANIFEST_UNSUPPORTED)
def describe(manifests: Sequence[Manifest], config: ImageConfig) -> str:
    """Return the first description among these manifests' annotations, else the config's label, else nothing."""
    annotations = (json.loads(manifest.content).get("annotations") for manifest in manifests)
    texts = map(_description, (*annotations, config.labels))
    return next(filter(None, texts), "")


def _description(labels: object) -> str:
    """Return the description among these untrusted labels, cut to the API's limit."""
    text = labels.get(DESCRIPTION) if isinstance(labels, dict) else None
    if not isinstance(text, str):
        return ""
    # JSON can contain half surrogates and NUL, which cannot be stored; control characters mislead terminals.
    harmless = (character for character in text if character.isprintable() or character in _LINES)
    return "".join(harmless).strip()[:MAX_DESCRIPTION_LENGTH]


def _parsed(content: bytes) -> Mapping[str, Any]:
    try:
        check_values(content)
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
