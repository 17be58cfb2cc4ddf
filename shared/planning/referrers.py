"""An image's referrers: signatures, attestations, SBOMs and all other artifacts attached to one of its manifests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.referrer import Attachment
from shared.planning.source import ReadableImage

# The target's errors about a single manifest: an unknown type, an immutable tag, an invalid response. Errors about the
# target itself (the account, the quota) end the import as they would without referrers.
_REFUSED_MANIFEST = frozenset({Code.TARGET_REFUSED, Code.TARGET_IMMUTABLE_TAG, Code.TARGET_PROTOCOL_ERROR})


class ReferrersSource(ReadableImage, Protocol):
    """A source that can list the referrers of its manifests."""

    async def attachments(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        """Return the referrers that the source lists for these manifests, without reading them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """An attachment that was read. `manifests` has its children, if it is an index, and itself last."""

    attachment: Attachment
    manifests: tuple[Manifest, ...]

    @property
    def manifest(self) -> Manifest:
        return self.manifests[-1]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Each blob that the target must hold for it, once."""
        return tuple({blob.digest: blob for manifest in self.manifests for blob in manifest.blobs}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrers:
    """All referrers found, subjects before their referrers; `left_out` has a sentence about each one left out."""

    found: tuple[Referrer, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """Each manifest, once."""
        return tuple({each.digest: each for referrer in self.found for each in referrer.manifests}.values())

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Each blob, once."""
        return tuple({blob.digest: blob for referrer in self.found for blob in referrer.blobs}.values())

    @property
    def count(self) -> int:
        """The number of artifacts that refer to the image or to one another, in either way."""
        return len({referrer.manifest.digest for referrer in self.found})


def may_be_left_out(error: LongshoreError) -> bool:
    """Return whether the image is imported without a referrer that has this error.

    Transient errors are retried instead, so that no signature is lost to a short outage.
    """
    if error.kind.retryable:
        return False
    return error.kind.side is Side.SOURCE or error.code in _REFUSED_MANIFEST
