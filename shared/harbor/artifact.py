"""An artifact: what Harbor calls a manifest or index in one repository, with all that hangs on it."""

from dataclasses import dataclass
from datetime import datetime

from shared.harbor.documents import Document, count, moment, objects, optional_text, text
from shared.harbor.tag import Tag
from shared.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """`size` is in bytes, blobs and children included. `references` are an index's children, in its order."""

    artifact_id: int
    digest: Digest
    media_type: str | None
    size: int
    tags: tuple[Tag, ...] = ()
    references: tuple[Digest, ...] = ()
    push_time: datetime | None = None

    @classmethod
    def from_json(cls, document: Document) -> "Artifact":
        return cls(
            artifact_id=count(document, "id"),
            digest=Digest.parse(text(document, "digest")),
            media_type=optional_text(document, "manifest_media_type"),
            size=count(document, "size"),
            tags=tuple(Tag.from_json(item) for item in objects(document, "tags")),
            references=tuple(Digest.parse(text(item, "child_digest")) for item in objects(document, "references")),
            push_time=moment(document, "push_time"),
        )
