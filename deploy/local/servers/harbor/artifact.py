"""The artifacts and tags that clients have pushed through the stand-in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of a pushed manifest. `blobs` are digests and sizes, without foreign layers."""

    digest: str
    media_type: str
    length: int
    config_media_type: str
    blobs: dict[str, int]
    children: tuple[dict[str, Any], ...]
    annotations: dict[str, str]

    @classmethod
    def parse(cls, digest: str, media_type: str, content: bytes) -> Manifest:
        """Parse a manifest; ValueError if docker-registry would refuse it."""
        document = json.loads(content)
        if not isinstance(document, dict):
            raise ValueError("not an object")  # noqa: TRY004 - every invalid manifest is a ValueError
        config = document.get("config") or {}
        blobs = [config, *document.get("layers", [])] if config else []
        return cls(
            digest=digest,
            media_type=media_type,
            length=len(content),
            config_media_type=config.get("mediaType", media_type),
            blobs={blob["digest"]: blob["size"] for blob in blobs if not blob.get("urls")},
            children=tuple(document.get("manifests", ())),
            annotations=document.get("annotations") or {},
        )


@dataclass(kw_only=True)
class Artifact:
    """An artifact of one repository. `size` is Harbor's: the blobs, the manifest, and the children of an index."""

    id: int
    manifest: Manifest
    size: int
    pushed: datetime = field(default_factory=now)

    @property
    def digest(self) -> str:
        return self.manifest.digest

    @property
    def children(self) -> tuple[str, ...]:
        """The digests of an index's children."""
        return tuple(child["digest"] for child in self.manifest.children)

    @property
    def blobs(self) -> dict[str, int]:
        """The digests and sizes that count for the quota: its blobs and the manifest itself."""
        return self.manifest.blobs | {self.digest: self.manifest.length}


@dataclass(kw_only=True)
class Tag:
    """A tag and the digest that it points to."""

    id: int
    name: str
    digest: str
    pushed: datetime = field(default_factory=now)
