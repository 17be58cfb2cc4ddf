"""Compares an image in one registry with the same image in another, byte by byte."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from deploy.local.images.image import Manifest
    from deploy.local.images.remote import Remote

# The field of foreign layers, which no registry stores.
FOREIGN = "urls"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A repository in a registry."""

    remote: Remote
    repository: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """The verified content: the numbers of distinct manifests and blobs, and their size in bytes."""

    manifests: int
    blobs: int
    size: int


def verify(digest: str, target: Place, source: Place | None = None) -> Verified:
    """Read everything below a digest from the target and hash it; compare it with the source, if given.

    LocalStackError names the first manifest or blob that is missing or differs.
    """
    manifests: dict[str, Manifest] = {}
    blobs: dict[str, int] = {}
    pending = [digest]
    while pending:
        current = pending.pop()
        if current in manifests:
            continue
        manifests[current] = verify_manifest(current, target, source)
        document = manifests[current].document
        pending += [child["digest"] for child in document.get("manifests", [])]
        blobs |= {part["digest"]: part["size"] for part in blob_descriptors(document)}
    for blob, size in blobs.items():
        verify_blob(blob, size, target, source)
    size = sum(blobs.values()) + sum(len(manifest.body) for manifest in manifests.values())
    return Verified(manifests=len(manifests), blobs=len(blobs), size=size)


def blob_descriptors(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the descriptors of a manifest's configuration and layers; an index has neither."""
    listed = [document["config"], *document["layers"]] if "config" in document else []
    return [descriptor for descriptor in listed if not descriptor.get(FOREIGN)]


def verify_manifest(digest: str, target: Place, source: Place | None) -> Manifest:
    """Read a manifest by its digest and check the digest."""
    found = target.remote.manifest(target.repository, digest)
    if found.digest != digest:
        raise LocalStackError(f"the target serves a manifest of {found.digest} as {digest}")
    if source is not None and source.remote.manifest(source.repository, digest) != found:
        raise LocalStackError(f"manifest {digest} differs between source and target")
    return found


def verify_blob(digest: str, size: int, target: Place, source: Place | None) -> None:
    """Read a blob from both sides, compare it chunk by chunk, and hash it."""
    ours = target.remote.blob(target.repository, digest)
    theirs = source.remote.blob(source.repository, digest) if source else None
    hashed, count = hashlib.sha256(), 0
    for mine, other in itertools.zip_longest(ours, theirs or ()):
        if theirs is not None and mine != other:
            raise LocalStackError(f"blob {digest} differs between source and target, {count} bytes or later in")
        hashed.update(mine)
        count += len(mine)
    if f"sha256:{hashed.hexdigest()}" != digest or count != size:
        raise LocalStackError(f"the target serves {count} bytes of sha256:{hashed.hexdigest()} as {digest}")
