"""A Harbor project: what a repository's name begins with, and what quotas and rights belong to."""

from dataclasses import dataclass

from shared.harbor.documents import Document, count, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`repo_count` is the number of its repositories."""

    name: str
    repo_count: int

    @classmethod
    def from_json(cls, document: Document) -> "Project":
        return cls(name=text(document, "name"), repo_count=count(document, "repo_count"))
