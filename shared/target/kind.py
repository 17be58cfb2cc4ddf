"""What kind of server the target is."""

from enum import StrEnum


class TargetKind(StrEnum):
    """TARGET_KIND says which; it is never guessed, because the two delete and count differently."""

    HARBOR = "harbor"
    """Spoken to through the distribution spec for content, through Harbor's own API for everything else."""
    REGISTRY = "registry"
    """Any registry that follows the distribution spec."""
