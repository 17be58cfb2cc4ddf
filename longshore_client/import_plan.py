"""What an import would do."""

from dataclasses import dataclass, field

from longshore_client.answer import Json, maybe, need, texts


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentCount:
    """How many blobs or manifests there are, and where."""

    total: int
    in_target: int
    mountable: int
    to_move: int

    @classmethod
    def of(cls, document: Json) -> "ContentCount":
        """Read the API's count."""
        return cls(
            total=need(document, "total", int),
            in_target=need(document, "inTarget", int),
            mountable=need(document, "mountable", int),
            to_move=need(document, "toMove", int),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Overwritten:
    """What the target's tag points to now; without an image where Longshore does not manage it."""

    image_id: int | None
    digest: str
    user: str | None

    @classmethod
    def of(cls, document: Json) -> "Overwritten":
        """Read the API's answer."""
        return cls(
            image_id=maybe(document, "imageId", int),
            digest=need(document, "digest", str),
            user=maybe(document, "createdBy", str),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """A dry run's outcome. Bytes; `quota_room` is None without a limit, `fits` None where nobody knows.

    `raw` is the API's whole answer.
    """

    message: str
    source: str
    source_digest: str
    target: str
    platforms: tuple[str, ...]
    bytes_total: int
    bytes_in_target: int
    bytes_mountable: int
    bytes_to_move: int
    blobs: ContentCount
    manifests: ContentCount
    referrers: int
    overwrites: Overwritten | None
    quota_room: int | None
    fits: bool | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, document: Json) -> "ImportPlan":
        """Read the API's answer."""
        plan: Json = need(document, "plan", dict)
        overwritten = maybe(plan, "overwrites", dict)
        return cls(
            message=need(document, "message", str),
            source=need(plan, "source", str),
            source_digest=need(plan, "sourceDigest", str),
            target=need(plan, "target", str),
            platforms=texts(plan, "platforms"),
            bytes_total=need(plan, "bytesTotal", int),
            bytes_in_target=need(plan, "bytesInTarget", int),
            bytes_mountable=need(plan, "bytesMountable", int),
            bytes_to_move=need(plan, "bytesToMove", int),
            blobs=ContentCount.of(need(plan, "blobs", dict)),
            manifests=ContentCount.of(need(plan, "manifests", dict)),
            referrers=maybe(plan, "referrers", int) or 0,
            overwrites=Overwritten.of(overwritten) if overwritten else None,
            quota_room=maybe(plan, "quotaRoom", int),
            fits=maybe(plan, "fits", bool),
            raw=document,
        )
