"""The plan of an import: the API's answer to a dry run."""

from dataclasses import dataclass, field
from typing import Annotated

from longshore_client.answers import Json, Key, decode, need


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCount:
    """The number of blobs or manifests: in all, in the target, to be mounted, and to be moved."""

    total: int
    in_target: int
    mountable: int
    to_move: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten:
    """The present content of the target's tag. Longshore does not manage it if there is no image."""

    image_id: int | None
    digest: str
    user: Annotated[str | None, Key("createdBy")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """The effects that an import would have. `raw` is the API's whole answer."""

    message: str
    """One sentence for a person."""
    source: str
    source_digest: str
    target: str
    platforms: tuple[str, ...] = ()
    bytes_total: int
    bytes_in_target: int
    bytes_mountable: int
    bytes_to_move: int
    blobs: ContentCount
    manifests: ContentCount
    referrers: int = 0
    allowed_by: str = ""
    """The import rule that allows the import; `admin` if the caller needs none."""
    overwrites: Overwritten | None
    """None if the tag is new."""
    quota_room: int | None
    """Bytes that the project's quota has left; None without a limit."""
    fits: bool | None
    """Whether the image fits into the quota; None if that is not known."""
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, document: Json) -> "ImportPlan":
        """Read the API's answer."""
        plan = need(document, "plan", dict)
        outer = {"message": need(document, "message", str), "allowedBy": document.get("allowedBy")}
        return decode(cls, plan | outer, raw=document)
