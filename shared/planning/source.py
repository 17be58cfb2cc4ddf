"""What planning needs of the place that an image comes from: small enough for a dict to play it in a test."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest


class ReadableImage(Protocol):
    """Manifests and blobs by digest. Both raise LongshoreError with a code of the source's side."""

    async def fetch_manifest(self, digest: Digest) -> Manifest:
        """Return a manifest whose bytes have this digest."""
        ...

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream a blob's bytes from `offset` on: exactly the rest of `blob.size`, or an error."""
        ...
