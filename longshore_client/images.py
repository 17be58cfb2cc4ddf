"""Images in the target, as the API lists them, and the query that selects them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from longshore_client.answers import Json, Key, decode, need, objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that Longshore manages. `raw` is the API's own object."""

    id: int
    registry_host: str
    repository: Annotated[str, Key("repo")]
    tag: Annotated[str, Key("imageTag")]
    status: str
    """`ready`, `importing` or `failed`."""
    description: str = ""
    user: Annotated[str, Key("userName")]
    created: Annotated[datetime | None, Key("createdTime")]
    size: int
    """Bytes; 0 until the image was ready once."""
    digest: str = ""
    """Empty until the image was ready once, and for callers that it is hidden from."""
    platforms: tuple[str, ...] = ()
    """Each as `os/architecture[/variant]`."""
    source: str = ""
    include_type: str = ""
    """`full`, or `partial` for a chosen subset of platforms."""
    content_hidden: bool = False
    """Whether digests and layers are left out: the source needed an account, and the caller is neither the owner nor
    an admin, and has no rule for this source and target."""
    raw: Json = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Repository and tag."""
        return f"{self.repository}:{self.tag}"

    @property
    def reference(self) -> str:
        """The reference to pull."""
        return f"{self.registry_host}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullImage(Image):
    """One image by its id, with the fields that the list does not have."""

    source_digest: str | None
    digest_reference: str | None
    import_name: Annotated[str | None, Key("import.name")]
    state: Annotated[str | None, Key("import.state")]
    """State of the image's newest import."""
    referrers: int = 0
    """Number of signatures, SBOMs and other artifacts that were imported with the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """A page of a list; `total` is the number of images that match the query."""

    total: int
    images: Sequence[Image]

    @classmethod
    def of(cls, document: Json) -> "ImagePage":
        """Read the grouped form of the list."""
        groups = objects(document, "images")
        images = [image for group in groups for image in _images(group)]
        return cls(total=need(document, "totalCount", int), images=images)


def _images(group: Json) -> Sequence[Image]:
    """Return the images of one repository; each repeats the repository's own fields."""
    repository = {key: need(group, key, str) for key in ("registryHost", "repo")}
    return [decode(Image, {**repository, **artifact}) for artifact in objects(group, "artifacts")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery:
    """Filters and order of a list. A filter that is None is not applied."""

    tag: str | None = None
    """A part of `repository:tag`, in any case."""
    ready: bool | None = None
    user: str | None = None
    order_by: str = "createdTime"
    descending: bool = True

    def parameters(self, page: int, size: int) -> Mapping[str, str]:
        """Return the query parameters of one page; pages count from 0."""
        given = {
            "tag": self.tag,
            "ready": None if self.ready is None else str(self.ready).lower(),
            "userName": self.user,
            "orderBy": self.order_by,
            "order": "desc" if self.descending else "asc",
            "page_num": str(page),
            "page_size": str(size),
        }
        return {name: value for name, value in given.items() if value is not None}
