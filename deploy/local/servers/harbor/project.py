"""The projects and repositories of the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from deploy.local.servers.harbor.artifact import Artifact, Tag, now
from deploy.local.servers.harbor.rules import Rule


@dataclass(kw_only=True)
class Repository:
    """A repository; `name` starts with the project. The keys of artifacts are digests, those of tags are names."""

    id: int
    name: str
    created: datetime = field(default_factory=now)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)

    @property
    def short_name(self) -> str:
        """The name without the project."""
        return self.name.partition("/")[2]

    def tags_of(self, digest: str) -> list[Tag]:
        return [tag for tag in self.tags.values() if tag.digest == digest]

    def parents_of(self, digest: str) -> list[Artifact]:
        """Return the indexes that list this artifact."""
        return [artifact for artifact in self.artifacts.values() if digest in artifact.children]

    def listed(self) -> list[Artifact]:
        """Return the artifacts that Harbor lists: without untagged children (src/pkg/artifact/dao/dao.go)."""
        tagged = {tag.digest for tag in self.tags.values()}
        held = {child for artifact in self.artifacts.values() for child in artifact.children}
        return [artifact for digest, artifact in self.artifacts.items() if digest in tagged or digest not in held]


@dataclass(kw_only=True)
class Project:
    """A project. `hard` is its quota in bytes, -1 without a limit; `blobs` count for the quota.

    `reserved` are the bytes that running requests will add.
    """

    id: int
    name: str
    public: bool
    hard: int
    created: datetime = field(default_factory=now)
    members: dict[str, str] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    rules: dict[int, Rule] = field(default_factory=dict)
    blobs: dict[str, int] = field(default_factory=dict)
    reserved: int = 0

    @property
    def used(self) -> int:
        return sum(self.blobs.values())

    def immutable(self, repository: Repository, tag: str) -> bool:
        """Return whether a rule protects this tag."""
        return any(rule.protects(repository.short_name, tag) for rule in self.rules.values())

    def artifacts(self) -> Iterator[Artifact]:
        """Yield every artifact of the project."""
        for repository in self.repositories.values():
            yield from repository.artifacts.values()
