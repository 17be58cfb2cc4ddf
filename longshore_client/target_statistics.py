"""The target's own figures."""

from dataclasses import dataclass, field
from datetime import datetime

from longshore_client.answer import Json, maybe, moment, need


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetStatistics:
    """`size` is in bytes; `message` says what the figures leave out. `raw` is the API's own object."""

    projects: int
    images: int
    size: int
    scope: str
    as_of: datetime | None
    message: str
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, document: Json) -> "TargetStatistics":
        """Read the API's answer."""
        return cls(
            projects=need(document, "totalProjects", int),
            images=need(document, "totalImages", int),
            size=need(document, "totalSize", int),
            scope=maybe(document, "scope", str) or "",
            as_of=moment(document, "asOf"),
            message=maybe(document, "message", str) or "",
            raw=document,
        )
