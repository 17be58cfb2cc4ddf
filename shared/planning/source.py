"""The source of an image, as planning sees it: small enough that a test can implement it with a dict."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import MAX_MANIFEST_SIZE, Manifest


class ReadableImage(Protocol):
    """Manifests and blobs by digest. Both methods raise LongshoreError with a code of the source's side."""

    async def fetch_manifest(self, digest: Digest, limit: int = MAX_MANIFEST_SIZE) -> Manifest:
        """Return the manifest with this digest, verified; one with more bytes than `limit` is not read to its end."""
        ...

    def open_blob(self, blob: Descriptor, offset: int = 0) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Stream a blob's bytes from `offset` on: exactly the rest of `blob.size`, or an error."""
        ...


def blob_digest_mismatch(blob: Descriptor) -> LongshoreError:
    """Return the error for bytes of the source that do not have the blob's digest."""
    return LongshoreError(Code.BLOB_DIGEST_MISMATCH, f"The source's bytes for {blob.digest} have another digest.")
