"""Images in the target, as the API lists them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from longshore_client.answer import Json, maybe, moment, need, objects, texts


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that Longshore manages. `size` is in bytes; `digest` is empty until it was ready once.

    `raw` is the API's own object.
    """

    id: int
    registry_host: str
    repository: str
    tag: str
    status: str
    description: str
    user: str
    created: datetime | None
    size: int
    digest: str
    platforms: tuple[str, ...]
    source: str
    include_type: str
    raw: Json = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Repository and tag."""
        return f"{self.repository}:{self.tag}"

    @property
    def reference(self) -> str:
        """What to pull."""
        return f"{self.registry_host}/{self.name}"

    @classmethod
    def of(cls, document: Json) -> "Image":
        """Read the API's artifact with its repository beside it."""
        return cls(**_fields(document))


@dataclass(frozen=True, kw_only=True)
class FullImage(Image):
    """One image asked for by its id, with what only that answer has. `state` is its newest import's.

    `referrers` counts the signatures, SBOMs and the like that came along.
    """

    source_digest: str | None
    digest_reference: str | None
    import_name: str | None
    state: str | None
    referrers: int

    @classmethod
    def of(cls, document: Json) -> "FullImage":
        """Read the API's answer."""
        newest: Json = maybe(document, "import", dict) or {}
        return cls(
            source_digest=maybe(document, "sourceDigest", str),
            digest_reference=maybe(document, "digestReference", str),
            import_name=maybe(newest, "name", str),
            state=maybe(newest, "state", str),
            referrers=maybe(document, "referrers", int) or 0,
            **_fields(document),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePage:
    """A page of a list, and how many images match in all."""

    total: int
    images: Sequence[Image]

    @classmethod
    def of(cls, document: Json) -> "ImagePage":
        """Read the grouped form of the list."""
        groups = objects(document, "images")
        images = [Image.of(_with_repository(artifact, group)) for group in groups for artifact in _artifacts(group)]
        return cls(total=need(document, "totalCount", int), images=images)


def _artifacts(group: Json) -> Sequence[Json]:
    return objects(group, "artifacts")


def _with_repository(artifact: Json, group: Json) -> Json:
    return {"registryHost": need(group, "registryHost", str), "repo": need(group, "repo", str), **artifact}


def _fields(document: Json) -> Mapping[str, Any]:
    return {
        "id": need(document, "id", int),
        "registry_host": need(document, "registryHost", str),
        "repository": need(document, "repo", str),
        "tag": need(document, "imageTag", str),
        "status": need(document, "status", str),
        "description": maybe(document, "description", str) or "",
        "user": need(document, "userName", str),
        "created": moment(document, "createdTime"),
        "size": need(document, "size", int),
        "digest": maybe(document, "digest", str) or "",
        "platforms": texts(document, "platforms"),
        "source": maybe(document, "source", str) or "",
        "include_type": maybe(document, "includeType", str) or "",
        "raw": document,
    }
