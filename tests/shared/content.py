"""Small blobs and manifests, and how to read and send bytes in a test."""

import json
import random
from collections.abc import AsyncIterator

from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.registry.repository import Repository

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def described(content: bytes, media_type: str = LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(content), size=len(content))


def manifest_of(config: bytes, *layers: bytes) -> Manifest:
    return Manifest.parse(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": media_types.OCI_MANIFEST,
                "config": _entry(config, media_types.OCI_CONFIG),
                "layers": [_entry(layer, LAYER) for layer in layers],
            }
        ).encode(),
        media_types.OCI_MANIFEST,
    )


def _entry(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


async def pieces(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


async def read(repository: Repository, blob: Descriptor, offset: int = 0) -> bytes:
    async with repository.open_blob(blob, offset) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def push(repository: Repository, content: bytes) -> Descriptor:
    blob = described(content)
    await repository.put_blob(await repository.start_upload(), blob, content)
    return blob
