"""Platforms as `os/architecture[/variant]` (image-spec image-index.md, `platform`)."""

import re
from dataclasses import dataclass

_PART = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
# The parts that a document may contain: in any case, as real images have them, but short and safe to show and store.
_STATED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Common aliases, as in containerd's platform normalisation.
_ARCHITECTURE_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """The platform that a manifest runs on."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def of(cls, os: object, architecture: object, variant: object = None) -> "Platform":
        """Create a platform from a document's values; raises ValueError where a value is missing or invalid."""
        parts = [os, architecture, *([variant] if variant else [])]
        if not all(isinstance(part, str) and _STATED.fullmatch(part) for part in parts):
            raise ValueError("a platform's os, architecture or variant is missing or no name")
        return cls(*map(str, parts))

    @classmethod
    def parse(cls, text: str) -> "Platform":
        """Read `linux/amd64` or `linux/arm/v7`; raises ValueError otherwise."""
        parts = text.lower().split("/")
        if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
            raise ValueError(f"not a platform (os/architecture[/variant]): {text[:100]!r}")
        architecture = _ARCHITECTURE_ALIASES.get(parts[1], parts[1])
        return cls(parts[0], architecture, *parts[2:])

    def covers(self, other: "Platform") -> bool:
        """Return whether a request for this platform accepts `other`: without a variant, it accepts every variant."""
        same = (self.os, self.architecture) == (other.os, other.architecture)
        return same and self.variant in ("", other.variant)

    @property
    def known(self) -> bool:
        """False for `unknown/unknown`, the mark of attestation manifests."""
        return self.os != "unknown" and self.architecture != "unknown"

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
