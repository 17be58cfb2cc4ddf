"""The content of a scripted registry, in memory."""

import hashlib
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_DIGEST = re.compile(r"(sha256|sha512):([0-9a-f]{64}|[0-9a-f]{128})")


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def is_digest(text: str) -> bool:
    return _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A manifest as it was pushed."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.body)

    def blobs(self) -> Iterator[str]:
        """Yield the digests of the blobs that must exist; layers with `urls` need not."""
        document: dict[str, Any] = json.loads(self.body)
        entries = [document.get("config"), *document.get("layers", [])]
        yield from (entry["digest"] for entry in entries if entry and not entry.get("urls"))

    def children(self) -> Iterator[str]:
        document: dict[str, Any] = json.loads(self.body)
        yield from (entry["digest"] for entry in document.get("manifests", []))


@dataclass(slots=True)
class Upload:
    """An upload session."""

    repository: str
    content: bytearray = field(default_factory=bytearray)


@dataclass(slots=True)
class Stock:
    """One repository."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, Document] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def find(self, reference: str) -> Document | None:
        """Return a manifest by tag or digest."""
        return self.manifests.get(self.tags.get(reference, reference))


class Contents:
    """Repositories, and uploads that are not finished."""

    def __init__(self) -> None:
        self.repositories: dict[str, Stock] = {}
        self.uploads: dict[str, Upload] = {}

    def stock(self, repository: str) -> Stock:
        """Return a repository, which is created if it does not exist."""
        return self.repositories.setdefault(repository, Stock())

    def find(self, repository: str) -> Stock:
        """Return a repository, or an empty one if it does not exist."""
        return self.repositories.get(repository, Stock())

    def start(self, repository: str) -> str:
        identity = secrets.token_hex(16)
        self.uploads[identity] = Upload(repository)
        return identity
