"""Content digests as the OCI image specification defines them (image-spec, descriptor.md, "Digests")."""

import hashlib
import re
from dataclasses import dataclass
from typing import Protocol

# Lengths of the hexadecimal part, by registered algorithm.
_HEX_LENGTH = {"sha256": 64, "sha512": 128}
_PATTERN = re.compile(r"(sha256|sha512):([0-9a-f]+)")


class Hasher(Protocol):
    """A running digest computation, as in `hashlib`."""

    def update(self, data: bytes | memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """`algorithm:hex`, validated, so that it is safe in a URL or a path."""

    algorithm: str
    hex: str

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """Read `sha256:<64 hex>` or `sha512:<128 hex>`.

        Raises ValueError for anything else, upper case included.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or len(match[2]) != _HEX_LENGTH[match[1]]:
            raise ValueError(f"not a digest: {text[:100]!r}")
        return cls(match[1], match[2])

    @classmethod
    def of(cls, content: bytes) -> "Digest":
        """Return the sha256 digest of these bytes."""
        return cls("sha256", hashlib.sha256(content).hexdigest())

    def hasher(self) -> Hasher:
        """Start a computation with this digest's algorithm."""
        return hashlib.new(self.algorithm)

    def matches(self, content: bytes) -> bool:
        """Return whether these bytes have this digest."""
        hasher = self.hasher()
        hasher.update(content)
        return hasher.hexdigest() == self.hex

    @property
    def short(self) -> str:
        """The first twelve hexadecimal digits, as Docker prints them."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"
