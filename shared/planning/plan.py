"""The plan of an import: its manifests, children before parents, and the blobs that they refer to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.oci.platform import Platform

# The platform that represents an image where only one can be shown.
DEFAULT_PLATFORM = Platform("linux", "amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """The content that the target must hold.

    `manifests` has children before parents and the root last. `contents` has the blobs that were read while planning.
    """

    source_digest: Digest
    manifests: tuple[Manifest, ...]
    platforms: tuple[Platform, ...]
    partial: bool
    description: str = ""
    contents: Mapping[Digest, bytes] = field(default_factory=dict)

    @property
    def root(self) -> Manifest:
        return self.manifests[-1]

    @property
    def include_type(self) -> str:
        """The contract's value: `full`, or `partial` for a chosen subset of platforms."""
        return "partial" if self.partial else "full"

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Each blob that the target must hold, once."""
        return tuple({blob.digest: blob for manifest in self.manifests for blob in manifest.blobs}.values())

    @property
    def foreign(self) -> tuple[Descriptor, ...]:
        """Layers that no registry holds; they stay at their `urls`."""
        held = {blob.digest for blob in self.blobs}
        layers = (layer for manifest in self.manifests for layer in manifest.layers if layer.digest not in held)
        return tuple({layer.digest: layer for layer in layers}.values())

    @property
    def size(self) -> int:
        """Bytes of all distinct blobs and manifests."""
        manifests = {manifest.digest: manifest.size for manifest in self.manifests}
        return sum(blob.size for blob in self.blobs) + sum(manifests.values())

    def without_children_bytes(self) -> "ImportPlan":
        """Return the plan without the bytes of its images' manifests, once they have been put.

        Indexes keep theirs: a trimmed one is at no source, so it cannot be read again.
        """
        below = (each if each.is_index else replace(each, content=b"") for each in self.manifests[:-1])
        return replace(self, manifests=(*below, self.root))

    @property
    def shown_platform(self) -> Platform | None:
        """The default platform if the image has it, else its first."""
        return shown_platform(self.platforms)


def shown_platform(platforms: Sequence[Platform]) -> Platform | None:
    """Choose the platform that represents the image."""
    fitting = [platform for platform in platforms if DEFAULT_PLATFORM.covers(platform)]
    return next(iter((*fitting, *platforms)), None)
