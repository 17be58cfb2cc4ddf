"""The budget of one plan: its limits are checked while the image's manifests are walked, before more of it is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.integers import MAX_INT64
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest

# Bytes of one plan's manifests, held in memory until they are put: 256 children of 32 KiB. The largest known images
# have less than one million.
MAX_MANIFEST_BYTES = 8 * 1024 * 1024
# Distinct blobs of one image: an import's progress has at most as many layers (progress_report.MAX_LAYERS_REPORTED).
MAX_BLOBS = 20_000
# Descriptors of one plan, repeated ones included: each takes about half a kilobyte of memory.
MAX_DESCRIPTORS = 30_000
# The default for what an image and one of its blobs may weigh: above the largest known models. Bytes.
DEFAULT_IMAGE_BYTES = 512 * 1024**3
DEFAULT_BLOB_BYTES = 128 * 1024**3
# A text with one character beyond 16 bits takes four bytes for each character, and an escape may be one. Factor.
_WIDE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLimits:
    """The operator's limits for one image, in bytes."""

    image_bytes: int = DEFAULT_IMAGE_BYTES
    blob_bytes: int = DEFAULT_BLOB_BYTES

    def check_image(self, size: int) -> None:
        """Raise `image_too_large` if an image of this size may not be imported."""
        if size > min(self.image_bytes, MAX_INT64):
            raise _too_large(f"The image has {_shown(size)}; {self.image_bytes} are allowed (MAX_IMAGE_BYTES).")

    def check_blob(self, name: object, size: int) -> None:
        """Raise `image_too_large` if a blob of this size may not be imported."""
        if size > self.blob_bytes:
            raise _too_large(f"{name} has {_shown(size)}; {self.blob_bytes} are allowed (MAX_BLOB_BYTES).")


DEFAULT_LIMITS = PlanLimits()
# For manifests of which a part is chosen: only the chosen part has to fit the limits.
NO_LIMITS = PlanLimits(image_bytes=MAX_INT64, blob_bytes=MAX_INT64)


class PlanBudget:
    """Counts the content of one plan; each method raises `image_too_large` at a limit, and counts nothing then."""

    def __init__(
        self, limits: PlanLimits, *, manifest_bytes: int | None = None, size: int = 0, blobs: Iterable[Descriptor] = ()
    ) -> None:
        """Start a budget; `manifest_bytes` replaces the usual limit for the bytes of all manifests.

        `size` and `blobs` have been counted before, as an image's are when its referrers are counted.
        """
        self._limits = limits
        self._manifest_bytes = MAX_MANIFEST_BYTES if manifest_bytes is None else manifest_bytes
        self._reserved = 0
        self._held = 0
        self._descriptors = 0
        self._manifests: set[Digest] = set()
        self._blobs = {blob.digest for blob in blobs}
        self._size = size

    def reserve(self, children: Sequence[Descriptor]) -> None:
        """Count the stated sizes of manifests that are to be read next."""
        reserved = self._reserved + sum(child.size for child in children)
        self._check_manifest_bytes(reserved)
        self._reserved = reserved

    def add(self, manifests: Sequence[Manifest]) -> None:
        """Count manifests that have been read, with the blobs that they refer to."""
        new = {each.digest: each for each in manifests if each.digest not in self._manifests}
        held = self._held + sum(map(_memory, new.values()))
        self._check_manifest_bytes(held)
        descriptors = self._descriptors + sum(map(_count_descriptors, new.values()))
        if descriptors > MAX_DESCRIPTORS:
            raise _too_large(f"The image's manifests have {descriptors} entries; {MAX_DESCRIPTORS} are allowed.")
        blobs = self._new_blobs(list(new.values()))
        size = self._size + sum(each.size for each in new.values()) + sum(blobs.values())
        self._limits.check_image(size)
        self._held, self._descriptors, self._size = held, descriptors, size
        self._manifests.update(new)
        self._blobs.update(blobs)

    def _new_blobs(self, manifests: Sequence[Manifest]) -> dict[Digest, int]:
        blobs: dict[Digest, int] = {}
        for manifest in manifests:
            for blob in manifest.blobs:
                self._limits.check_blob(f"Blob {blob.digest}", blob.size)
                if blob.digest not in self._blobs:
                    blobs[blob.digest] = blob.size
        if len(self._blobs) + len(blobs) > MAX_BLOBS:
            raise _too_large(f"The image has more than {MAX_BLOBS} different blobs.")
        return blobs

    def _check_manifest_bytes(self, count: int) -> None:
        if count > self._manifest_bytes:
            raise _too_large(f"The manifests take more than {self._manifest_bytes} bytes in all.")


def _memory(manifest: Manifest) -> int:
    """Return the manifest's bytes, multiplied where its texts may take more memory than they have bytes."""
    wide = not manifest.content.isascii() or rb"\u" in manifest.content
    return manifest.size * _WIDE if wide else manifest.size


def _count_descriptors(manifest: Manifest) -> int:
    return len(manifest.layers) + len(manifest.manifests) + 1


def _shown(size: int) -> str:
    return f"{size} bytes" if size <= MAX_INT64 else "more bytes than 64 bits can count"


def _too_large(detail: str) -> LongshoreError:
    return LongshoreError(Code.IMAGE_TOO_LARGE, detail)
