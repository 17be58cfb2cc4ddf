"""Descriptors: references from one piece of content to another (image-spec descriptor.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.oci.digest import Digest
from shared.oci.platform import Platform

# BuildKit's annotation on an attestation manifest: the digest of the image manifest that it describes.
ATTESTS_DIGEST = "vnd.docker.reference.digest"
# Sizes are JSON integers in a manifest; no registry stores a larger blob (8 EiB, signed 64 bits).
MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Type, digest and size of one manifest or blob.

    `size` is in bytes. `urls` marks a foreign layer, which the registry does not hold.
    """

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    urls: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: object) -> "Descriptor":
        """Read one descriptor object; raises ValueError when a required field is missing or malformed."""
        if not isinstance(value, dict):
            raise ValueError("a descriptor is not an object")
        return cls(
            media_type=_media_type(value),
            digest=Digest.parse(str(value.get("digest"))),
            size=_size(value),
            platform=_platform(value.get("platform")),
            annotations=_annotations(value.get("annotations")),
            urls=_urls(value.get("urls")),
        )


def _media_type(value: dict[str, Any]) -> str:
    media_type = value.get("mediaType")
    if not isinstance(media_type, str) or not media_type:
        raise ValueError("a descriptor has no mediaType")
    return media_type


def _size(value: dict[str, Any]) -> int:
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
        raise ValueError(f"a descriptor's size is not a byte count: {size!r}")
    return size


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    return Platform.of(value.get("os"), value.get("architecture"), value.get("variant"))


def _urls(value: object) -> tuple[str, ...]:
    if value is not None and not isinstance(value, list):
        raise ValueError("a descriptor's urls are not a list")
    return tuple(str(url) for url in value or ())


def _annotations(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(key): str(text) for key, text in value.items()}
