"""Large layers that need little disk space and time: zeros with unique last bytes.

They are written to a registry's storage as sparse files, in distribution's layout (its storage driver's paths.go). The
registry sends as many bytes as of any other layer.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections import deque
from typing import TYPE_CHECKING

from benchmarks.scenarios import MIB, Job
from deploy.local.images.image import OCI, Blob, Image, platform_manifest
from deploy.local.processes.scratch import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.places import Places

CREATED = "2024-01-01T00:00:00Z"
PLATFORM = "linux/amd64"
# The bytes at the end of a layer, which make it unique.
END_SIZE = 64


def sparse_layer(name: str, size: int) -> Blob:
    """Return a layer of a whole number of megabytes."""
    ending = hashlib.sha512(name.encode()).digest()
    hasher = _hashed_zeros(size - END_SIZE).copy()
    hasher.update(ending)

    def read() -> Iterator[bytes]:
        zeros = bytes(MIB)
        yield from itertools.repeat(zeros, (size - END_SIZE) // MIB)
        yield bytes((size - END_SIZE) % MIB)
        yield ending

    return Blob(media_type=OCI.tar, digest=f"sha256:{hasher.hexdigest()}", size=size, read=read)


@functools.cache
def _hashed_zeros(size: int) -> hashlib._Hash:
    """Return the hash state of this number of zeros, cached for all layers of a size."""
    hasher = hashlib.sha256()
    whole = bytes(MIB)
    for _ in range(size // MIB):
        hasher.update(whole)
    hasher.update(bytes(size % MIB))
    return hasher


def sparse_jobs(name: str, images: int, layers: int, size: int) -> list[Job]:
    """Return images that share no layer."""
    jobs = []
    for number in range(images):
        parts = [sparse_layer(f"{name}/{number}/{layer}", size) for layer in range(layers)]
        manifest, config = platform_manifest(PLATFORM, parts, types=OCI, created=CREATED, config={})
        image = Image(root=manifest, children=(), blobs=(*parts, config))
        jobs.append(Job(repository=f"bench/{name}{number}", tag="1.0", image=image))
    return jobs


def place(places: Places, jobs: list[Job]) -> None:
    """Push images to the source: the layers as files in its storage, the other blobs over HTTP."""
    remote = places.remote(places.source)
    for job in jobs:
        for blob in job.image.blobs:
            if blob.media_type == OCI.tar:
                _place_layer(places, job.repository, blob)
            else:
                remote.push_blob(job.repository, blob)
        remote.push_manifest(job.repository, job.tag, job.image.root)


def _place_layer(places: Places, repository: str, blob: Blob) -> None:
    data = places.source.blob_path(blob.digest)
    data.parent.mkdir(parents=True, exist_ok=True)
    ending = deque(blob.read(), maxlen=1).pop()
    with data.open("wb") as file:
        file.truncate(blob.size)
        file.seek(blob.size - END_SIZE)
        file.write(ending)
    algorithm, _, value = blob.digest.partition(":")
    link = places.source.root / "docker/registry/v2/repositories" / repository / "_layers" / algorithm / value / "link"
    link.parent.mkdir(parents=True, exist_ok=True)
    write(link, blob.digest)
