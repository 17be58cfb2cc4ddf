"""A repository as Harbor lists it."""

from dataclasses import dataclass

from shared.harbor.documents import Document, count, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """`name` begins with the project. Artifacts that only an index refers to are not in `artifact_count`."""

    name: str
    artifact_count: int

    @classmethod
    def from_json(cls, document: Document) -> "Repository":
        return cls(name=text(document, "name"), artifact_count=count(document, "artifact_count"))
