"""Images to push to a registry, built without the product's code."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class MediaTypes:
    """The media types of one image format."""

    index: str
    manifest: str
    config: str
    tar: str
    gzip: str


# OCI image specification 1.1, "Media Types", and Docker's image manifest version 2, schema 2.
OCI = MediaTypes(
    index="application/vnd.oci.image.index.v1+json",
    manifest="application/vnd.oci.image.manifest.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    tar="application/vnd.oci.image.layer.v1.tar",
    gzip="application/vnd.oci.image.layer.v1.tar+gzip",
)
DOCKER = MediaTypes(
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    tar="application/vnd.docker.image.rootfs.diff.tar",
    gzip="application/vnd.docker.image.rootfs.diff.tar.gzip",
)


@dataclass(frozen=True, kw_only=True)
class Blob:
    """Bytes with their digest; each call of `read` returns them in chunks, from the start."""

    media_type: str
    digest: str
    size: int
    read: Callable[[], Iterable[bytes]]
    # The digest of the uncompressed layer, for the configuration.
    diff_id: str | None = None

    def descriptor(self) -> dict[str, Any]:
        """Return the descriptor for a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest or an index, byte for byte."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        """The digest of the body."""
        return sha256(self.body)

    @property
    def document(self) -> dict[str, Any]:
        """The body, parsed."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    def descriptor(self, **more: object) -> dict[str, Any]:
        """Return the descriptor for an index."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body)} | more


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image: the manifest or index of its tag, the manifests below it, and every distinct blob."""

    root: Manifest
    children: tuple[Manifest, ...]
    blobs: tuple[Blob, ...]

    @property
    def digest(self) -> str:
        """The digest that the tag points to."""
        return self.root.digest

    @property
    def size(self) -> int:
        """The size of all distinct blobs and manifests, in bytes."""
        manifests = {manifest.digest: len(manifest.body) for manifest in (self.root, *self.children)}
        return sum(blob.size for blob in self.blobs) + sum(manifests.values())


def platform_manifest(
    platform: str, layers: Iterable[Blob], *, types: MediaTypes = OCI, created: str, config: dict[str, Any]
) -> tuple[Manifest, Blob]:
    """Return the manifest and the configuration of one platform, such as linux/arm64/v8."""
    layers = tuple(layers)
    document = named(platform) | {
        "created": created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id or layer.digest for layer in layers]},
        "history": [{"created": created, "created_by": "longshore"} for _ in layers],
    }
    configuration = memory_blob(types.config, encode(document))
    manifest = {
        "schemaVersion": 2,
        "mediaType": types.manifest,
        "config": configuration.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    return Manifest(media_type=types.manifest, body=encode(manifest)), configuration


def index_of(children: dict[str, Manifest], *, types: MediaTypes = OCI) -> Manifest:
    """Return an index of the manifests of these platforms."""
    document = {
        "schemaVersion": 2,
        "mediaType": types.index,
        "manifests": [child.descriptor(platform=named(platform)) for platform, child in children.items()],
    }
    return Manifest(media_type=types.index, body=encode(document))


def named(platform: str) -> dict[str, str]:
    """Split os/architecture[/variant]."""
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def distinct(blobs: Iterable[Blob]) -> tuple[Blob, ...]:
    """Return the blobs without duplicates."""
    return tuple({blob.digest: blob for blob in blobs}.values())


def memory_blob(media_type: str, content: bytes, *, diff_id: str | None = None) -> Blob:
    """Return a blob of these bytes."""
    return Blob(
        media_type=media_type, digest=sha256(content), size=len(content), read=lambda: [content], diff_id=diff_id
    )


def file_blob(media_type: str, path: Path, *, diff_id: str | None = None) -> Blob:
    """Return a blob of a file that is too large for memory."""
    with path.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    return Blob(
        media_type=media_type,
        digest=digest,
        size=path.stat().st_size,
        read=lambda: chunks_of(path),
        diff_id=diff_id,
    )


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield a file in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def encode(document: object) -> bytes:
    """Return JSON, always formatted the same, so that the same image always has the same digest."""
    return json.dumps(document, indent=2).encode()


def sha256(content: bytes) -> str:
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
