"""Synthetic images for tests and benchmarks: given sizes and platforms, and reproducible bytes."""

from __future__ import annotations

import functools
import hashlib
import random
import tarfile
from typing import TYPE_CHECKING

from deploy.local.images.image import CHUNK_BYTES, OCI, Blob, Image, MediaTypes, distinct, index_of, platform_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TAR_BLOCK = 512
# A tar file with one entry has a header before it and two empty blocks at the end.
TAR_FRAME = 3 * TAR_BLOCK
COUNTER_BYTES = 8
CREATED = "2024-01-01T00:00:00Z"


def synthetic_image(
    seed: str,
    layers: Sequence[int],
    *,
    platforms: Sequence[str] = ("linux/amd64", "linux/arm64"),
    shared: int = 0,
    index: bool = True,
    types: MediaTypes = OCI,
) -> Image:
    """Return an image with layers of the given sizes in bytes, the same for the same arguments.

    The first `shared` layers are the same on all platforms; another seed changes all layers. index=False returns the
    manifest of the only platform. Nothing is kept in memory: each read generates a layer's bytes again, at about a
    gigabyte per second.
    """
    if not index and len(platforms) != 1:
        raise ValueError("an image without an index has one platform")
    children, blobs = {}, []
    for platform in platforms:
        owners = ["every" if number < shared else platform for number in range(len(layers))]
        parts = [
            synthetic_layer(f"{seed}/{owner}/{number}", size, media_type=types.tar)
            for number, (owner, size) in enumerate(zip(owners, layers, strict=True))
        ]
        manifest, config = platform_manifest(
            platform, parts, types=types, created=CREATED, config={"Labels": {"seed": seed}}
        )
        children[platform] = manifest
        blobs += [*parts, config]
    if not index:
        return Image(root=children[platforms[0]], children=(), blobs=distinct(blobs))
    root = index_of(children, types=types)
    return Image(root=root, children=tuple(children.values()), blobs=distinct(blobs))


def synthetic_layer(seed: str, size: int, *, media_type: str = OCI.tar) -> Blob:
    """Return a layer of exactly `size` bytes: a tar with one file, if that fits."""
    return Blob(
        media_type=media_type, digest=digest_of(seed, size), size=size, read=lambda: synthetic_bytes(seed, size)
    )


@functools.lru_cache(maxsize=1024)
def digest_of(seed: str, size: int) -> str:
    """Return the digest of the bytes that synthetic_bytes yields."""
    digest = hashlib.sha256()
    for chunk in synthetic_bytes(seed, size):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def synthetic_bytes(seed: str, size: int) -> Iterator[bytes]:
    """Yield the layer in chunks."""
    if size < TAR_FRAME:
        yield from noise(seed, size)
        return
    entry = tarfile.TarInfo("layer/" + hashlib.sha256(seed.encode()).hexdigest())
    entry.size = (size - TAR_FRAME) // TAR_BLOCK * TAR_BLOCK
    yield entry.tobuf(tarfile.GNU_FORMAT)  # The POSIX one ends at 8 GiB.
    yield from noise(seed, entry.size)
    # tar readers ignore zeros after the end.
    yield bytes(size - TAR_BLOCK - entry.size)


def noise(seed: str, size: int) -> Iterator[bytes]:
    """Yield bytes that do not compress, in chunks of which no two are equal.

    One random chunk gets a counter: generating every byte would cost more than everything that is measured with it.
    """
    base = random.Random(seed).randbytes(min(size, CHUNK_BYTES))  # noqa: S311 - filler, no secret.
    for number, start in enumerate(range(0, size, CHUNK_BYTES)):
        length = min(CHUNK_BYTES, size - start)
        yield (number.to_bytes(COUNTER_BYTES, "big") + base[COUNTER_BYTES:])[:length]
