"""What an import has to bring: manifests, children before parents, and the blobs that they refer to.

Reads manifests and one small config (for the platform and the description); moves nothing.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from import_worker.concurrency import gather_all
from import_worker.copy_blob import blob_digest_mismatch
from import_worker.endpoints import Source
from shared.errors import LongshoreError
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import (
    MAX_CHILDREN,
    Manifest,
    missing_platforms,
    platforms_of,
    select_platforms,
    trim_index,
)
from shared.oci.platform import Platform

# An index within an index within an index: deeper nesting has no known use.
MAX_DEPTH = 3
# A config lists environment, history and labels; larger ones are copied without being read. Bytes.
MAX_CONFIG_SIZE = 4 * 1024 * 1024
# Manifests fetched at a time from one source: enough to hide latency, few enough not to look like an attack.
MANIFESTS_AT_ONCE = 6
# Annotation and label (image-spec annotations.md).
DESCRIPTION = "org.opencontainers.image.description"
# What the API takes as a description, in characters.
MAX_DESCRIPTION_LENGTH = 2000
# The platform that stands for an image where only one can be shown.
DEFAULT_PLATFORM = Platform("linux", "amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """Everything that has to be in the target.

    `manifests` holds children before parents and the root last. `contents` has blobs that were read while planning.
    """

    source_digest: Digest
    manifests: tuple[Manifest, ...]
    platforms: tuple[Platform, ...]
    partial: bool
    description: str = ""
    contents: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def root(self) -> Manifest:
        return self.manifests[-1]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Each blob that the target must hold, once."""
        return tuple({blob.digest: blob for manifest in self.manifests for blob in manifest.blobs}.values())

    @property
    def foreign(self) -> tuple[Descriptor, ...]:
        """Layers that no registry holds; they stay where their `urls` say."""
        held = {blob.digest for blob in self.blobs}
        layers = (layer for manifest in self.manifests for layer in manifest.layers if layer.digest not in held)
        return tuple({layer.digest: layer for layer in layers}.values())

    @property
    def size(self) -> int:
        """Bytes of all distinct blobs and manifests."""
        manifests = {manifest.digest: manifest.size for manifest in self.manifests}
        return sum(blob.size for blob in self.blobs) + sum(manifests.values())

    @property
    def shown_platform(self) -> Platform | None:
        """The default platform if the image has it, else its first."""
        return shown_platform(self.platforms)


def shown_platform(platforms: Sequence[Platform]) -> Platform | None:
    """Choose the platform that stands for the image."""
    fitting = [platform for platform in platforms if DEFAULT_PLATFORM.covers(platform)]
    return next(iter((*fitting, *platforms)), None)


async def make_plan(source: Source, digest: Digest, wanted: Sequence[Platform]) -> ImportPlan:
    """Read what the image with this digest consists of, cut to the wanted platforms (none: all of them).

    Raises `platform_not_available`, `manifest_unsupported`, and whatever the source raises.
    """
    root = await source.fetch_manifest(digest)
    if root.is_index:
        return await _plan_index(source, root, wanted)
    return await _plan_image(source, root, wanted)


async def _plan_image(source: Source, manifest: Manifest, wanted: Sequence[Platform]) -> ImportPlan:
    """Plan an image without an index; its platform stands in its config."""
    config, contents = await _read_config(source, manifest)
    platforms = _config_platform(config)
    require_platforms(platforms, wanted)
    return ImportPlan(
        source_digest=manifest.digest,
        manifests=(manifest,),
        platforms=platforms,
        partial=False,
        description=_annotation(manifest) or _label(config),
        contents=contents,
    )


async def _plan_index(source: Source, index: Manifest, wanted: Sequence[Platform]) -> ImportPlan:
    manifests = await _Walk(source).collect(index)
    require_platforms(_offered(manifests), wanted)
    kept = _trimmed(index, wanted, {manifest.digest: manifest for manifest in manifests}) if wanted else manifests
    platforms = _offered(kept)
    config, contents = await _read_config(source, _manifest_for(shown_platform(platforms), kept))
    return ImportPlan(
        source_digest=index.digest,
        manifests=kept,
        platforms=platforms,
        partial=kept[-1].digest != index.digest,
        description=_annotation(index) or _label(config),
        contents=contents,
    )


def require_platforms(available: Sequence[Platform], wanted: Sequence[Platform]) -> None:
    """Raise `platform_not_available`, naming what there is, unless every wanted platform is available."""
    missing = missing_platforms(available, wanted)
    if missing:
        raise LongshoreError(
            "platform_not_available",
            f"The image does not exist for {_listed(missing)}; it exists for {_listed(available) or 'none by name'}.",
        )


class _Walk:
    """Collects an index's manifests, children before parents, each once."""

    def __init__(self, source: Source) -> None:
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


def _offered(manifests: Sequence[Manifest]) -> tuple[Platform, ...]:
    """Return the platforms that the indexes among these name, each once."""
    return tuple({platform: None for manifest in manifests for platform in platforms_of(manifest)})


def _manifest_for(platform: Platform | None, manifests: Sequence[Manifest]) -> Manifest:
    """Return the manifest of this platform, else the first that is no index."""
    digests = {child.digest for manifest in manifests for child in manifest.manifests if child.platform == platform}
    images = [manifest for manifest in manifests if not manifest.is_index]
    return next((manifest for manifest in images if manifest.digest in digests), images[0])


async def _read_config(source: Source, manifest: Manifest) -> tuple[dict[str, Any], dict[Digest, bytes]]:
    """Return an image's config, parsed and in bytes by digest; both empty for other artifacts and odd configs."""
    config = manifest.config
    if config is None or config.media_type not in media_types.IMAGE_CONFIGS or config.size > MAX_CONFIG_SIZE:
        return {}, {}
    async with source.open_blob(config) as chunks:
        content = b"".join([chunk async for chunk in chunks])
    if not config.digest.matches(content):
        raise blob_digest_mismatch(config)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    return document if isinstance(document, dict) else {}, {config.digest: content}


def _config_platform(config: Mapping[str, Any]) -> tuple[Platform, ...]:
    os, architecture, variant = (config.get(key) for key in ("os", "architecture", "variant"))
    if not isinstance(os, str) or not isinstance(architecture, str):
        return ()
    return (Platform(os, architecture, variant if isinstance(variant, str) else ""),)


def _annotation(manifest: Manifest) -> str:
    annotations = json.loads(manifest.content).get("annotations")
    return _text(annotations)


def _label(config: Mapping[str, Any]) -> str:
    section = config.get("config")
    return _text(section.get("Labels")) if isinstance(section, dict) else ""


def _text(labels: object) -> str:
    """Return the description among these labels, cut to what the API takes."""
    text = labels.get(DESCRIPTION) if isinstance(labels, dict) else None
    return text.replace("\0", "")[:MAX_DESCRIPTION_LENGTH] if isinstance(text, str) else ""


def _listed(platforms: Sequence[Platform]) -> str:
    return ", ".join(map(str, platforms))
