"""What refers to an image: signatures, attestations, SBOMs and whatever else was attached to one of its manifests."""

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

# What a target says of one manifest that it does not take: an unknown type, an immutable tag, an odd answer. What it
# says of itself (the account, the quota) ends the import as it would without referrers.
_TURNED_DOWN = frozenset({Code.TARGET_REFUSED, Code.TARGET_IMMUTABLE_TAG, Code.TARGET_PROTOCOL_ERROR})


class ReferrersSource(ReadableImage, Protocol):
    """A source that can be asked what refers to its manifests."""

    async def attachments(self, subjects: Sequence[Digest]) -> Sequence[Attachment]:
        """Return what refers to these manifests, as far as the source tells; nothing of it has been read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """One attachment that was read. `manifests` holds its children, if it is an index, and itself last."""

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
    """Everything found, subjects before what refers to them; `left_out` has a sentence for each one that is not."""

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
        """How many artifacts refer to the image or to one another, however they do it."""
        return len({referrer.manifest.digest for referrer in self.found})


def may_be_left_out(error: LongshoreError) -> bool:
    """Tell whether an image is better off without a referrer that fails of this than not imported at all.

    What another try may mend is tried again, so that no signature is lost to a bad moment.
    """
    if error.kind.retryable:
        return False
    return error.kind.side is Side.SOURCE or error.code in _TURNED_DOWN
