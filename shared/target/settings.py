"""The target as the operator sets it."""

from dataclasses import dataclass
from enum import StrEnum

from shared.model.credential import Credential


class TargetKind(StrEnum):
    """The kind of server that TARGET_KIND names; it is never guessed, because the two delete and count differently."""

    HARBOR = "harbor"
    """Content through the distribution spec, everything else through Harbor's own API."""
    REGISTRY = "registry"
    """Any registry that follows the distribution spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """The registry that images are imported into. `host` is `host[:port]`."""

    host: str
    credential: Credential | None
    kind: TargetKind = TargetKind.REGISTRY
