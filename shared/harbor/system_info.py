"""What a Harbor tells about itself (GET /systeminfo)."""

from dataclasses import dataclass

from shared.harbor.documents import Document, optional_text


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemInfo:
    """Harbor keeps most of it from callers who have not proved who they are: then it is None.

    `version` reads `v2.13.0-9e3bf2a1`. `external_url` is the address that Harbor gives itself, also as the realm of its
    token service.
    """

    version: str | None = None
    external_url: str | None = None
    read_only: bool | None = None

    @classmethod
    def from_json(cls, document: Document) -> "SystemInfo":
        read_only = document.get("read_only")
        return cls(
            version=optional_text(document, "harbor_version"),
            external_url=optional_text(document, "external_url"),
            read_only=read_only if isinstance(read_only, bool) else None,
        )
