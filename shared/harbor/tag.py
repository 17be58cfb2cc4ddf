"""A tag as Harbor knows it."""

from dataclasses import dataclass
from datetime import datetime

from shared.harbor.documents import Document, moment, text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """`immutable`: a rule of the project keeps it from being moved and deleted."""

    name: str
    immutable: bool = False
    push_time: datetime | None = None

    @classmethod
    def from_json(cls, document: Document) -> "Tag":
        return cls(
            name=text(document, "name"),
            immutable=document.get("immutable") is True,
            push_time=moment(document, "push_time"),
        )
