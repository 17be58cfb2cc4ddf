"""Bytes that are not what their digest says."""

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor


def blob_digest_mismatch(blob: Descriptor) -> LongshoreError:
    """Return the error that names the blob."""
    return LongshoreError(Code.BLOB_DIGEST_MISMATCH, f"The source's bytes for {blob.digest} have another digest.")
