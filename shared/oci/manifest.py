"""Manifests and indexes: their exact bytes, and their parsed content.

Sources: image-spec manifest.md and image-index.md; Docker's image manifest v2 schema 2. The digest covers the exact
bytes, so a manifest is never serialised again, except for a trimmed index, which is a new document by intent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.oci import media_types
from shared.oci.descriptor import ATTESTS_DIGEST, Descriptor
from shared.oci.digest import Digest
from shared.oci.document import check_values
from shared.oci.platform import Platform

# The limit of distribution and Harbor for a manifest PUT, in bytes.
MAX_MANIFEST_SIZE = 4 * 1024 * 1024
# Children of one index, and layers of one manifest: far above real images, low enough to bound the work.
MAX_CHILDREN = 256
MAX_LAYERS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One manifest or index: its bytes, and the descriptors in it.

    An index has `manifests`; an image manifest has `config` and `layers`.
    """

    media_type: str
    content: bytes
    digest: Digest
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()

    @classmethod
    def parse(cls, content: bytes, content_type: str) -> "Manifest":
        """Read a manifest; `content_type` is the registry's header, without parameters.

        Raises ValueError, with a sentence that names the reason, for schema 1, for a type that is not a manifest, for a
        document that mixes both kinds (CVE-2021-41190), and where mediaType and Content-Type differ.
        """
        document = _load(content)
        media_type = _agreed_media_type(document, content_type)
        digest = Digest.of(content)
        if media_type in media_types.INDEXES:
            return cls(media_type=media_type, content=content, digest=digest, manifests=_children(document))
        config = Descriptor.from_json(document.get("config"))
        layers = _descriptors(document, "layers", MAX_LAYERS)
        return cls(media_type=media_type, content=content, digest=digest, config=config, layers=layers)

    @property
    def is_index(self) -> bool:
        return self.media_type in media_types.INDEXES

    @property
    def size(self) -> int:
        """The size of the manifest itself, in bytes."""
        return len(self.content)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Config and layers that the registry holds, without foreign layers, each digest once."""
        config = (self.config,) if self.config else ()
        held = (blob for blob in (*config, *self.layers) if not blob.urls)
        return tuple({blob.digest: blob for blob in held}.values())


def trim_index(index: Manifest, children: Mapping[Digest, Manifest]) -> Manifest:
    """Return a new index with only these children, in their old order, and with all other fields unchanged.

    `children` is keyed by the digests in `index`; a child that was itself trimmed is listed with its new digest.
    """
    if all(child.digest in children and children[child.digest].digest == child.digest for child in index.manifests):
        return index
    document = json.loads(index.content)
    kept = ((entry, children.get(Digest.parse(entry["digest"]))) for entry in document["manifests"])
    document["manifests"] = [
        {**entry, "digest": str(child.digest), "size": child.size} for entry, child in kept if child is not None
    ]
    content = json.dumps(document, indent=2).encode()
    return Manifest.parse(content, index.media_type)


def select_platforms(index: Manifest, platforms: Sequence[Platform]) -> tuple[Descriptor, ...]:
    """Return the children for these platforms, with the attestations that describe them."""
    chosen = {
        child.digest
        for child in index.manifests
        if child.platform and any(wanted.covers(child.platform) for wanted in platforms)
    }
    kept = (
        child
        for child in index.manifests
        if child.digest in chosen or child.annotations.get(ATTESTS_DIGEST) in {str(digest) for digest in chosen}
    )
    return tuple(kept)


def missing_platforms(available: Sequence[Platform], wanted: Sequence[Platform]) -> tuple[Platform, ...]:
    """Return the wanted platforms that none of the available ones satisfies."""
    return tuple(want for want in wanted if not any(want.covers(have) for have in available))


def platforms_of(index: Manifest) -> tuple[Platform, ...]:
    """Return the index's platforms, without attestations, in its order."""
    return tuple(child.platform for child in index.manifests if child.platform and child.platform.known)


def _load(content: bytes) -> dict[str, Any]:
    check_values(content)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the manifest is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ValueError("the manifest is not a JSON object")
    return document


def _agreed_media_type(document: dict[str, Any], content_type: str) -> str:
    if content_type in media_types.SCHEMA1 or document.get("schemaVersion") == 1:
        raise ValueError("the image is in Docker's schema 1 format, which current runtimes no longer pull")
    stated = document.get("mediaType") or content_type
    if stated != content_type:
        raise ValueError(f"the manifest says {str(stated)[:100]!r}, its Content-Type {content_type[:100]!r}")
    if content_type not in media_types.MANIFESTS:
        raise ValueError(f"{content_type[:100]!r} is not a manifest that can be imported")
    wrong = "layers" if content_type in media_types.INDEXES else "manifests"
    if wrong in document or ("config" in document and content_type in media_types.INDEXES):
        raise ValueError("the manifest mixes the fields of an image and of an index")
    return content_type


def _children(document: dict[str, Any]) -> tuple[Descriptor, ...]:
    children = _descriptors(document, "manifests", MAX_CHILDREN)
    for child in children:
        if child.media_type not in media_types.MANIFESTS:
            raise ValueError(f"the index points to {child.media_type[:100]!r}, which is no manifest")
        if child.size > MAX_MANIFEST_SIZE:
            raise ValueError(f"the index points to a manifest of {child.size} bytes, above {MAX_MANIFEST_SIZE}")
    return children


def _descriptors(document: dict[str, Any], key: str, limit: int) -> tuple[Descriptor, ...]:
    values = document.get(key)
    if not isinstance(values, list):
        raise ValueError(f"the manifest has no list of {key}")
    if len(values) > limit:
        raise ValueError(f"the manifest has {len(values)} {key}, above the limit of {limit}")
    return tuple(Descriptor.from_json(value) for value in values)
