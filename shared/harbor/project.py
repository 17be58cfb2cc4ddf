"""A Harbor project: what a repository's name begins with, and what quotas and rights belong to."""

from dataclasses import dataclass

from shared.harbor.documents import Document, count, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`public`: everybody may pull from it. `repo_count` is the number of its repositories."""

    project_id: int
    name: str
    public: bool
    repo_count: int

    @classmethod
    def from_json(cls, document: Document) -> "Project":
        metadata = document.get("metadata")
        return cls(
            project_id=count(document, "project_id"),
            name=text(document, "name"),
            # Harbor writes it as a text.
            public=isinstance(metadata, dict) and metadata.get("public") == "true",
            repo_count=count(document, "repo_count"),
        )
