"""Decides what a request to import does if its target has been imported before. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from api_service.auth.identity import Identity
from api_service.images.checks import check_owner
from api_service.images.visibility import without_digest
from api_service.imports.request import ImportRequest
from api_service.imports.source.find import FoundSource
from shared.db.images import Image
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import OPEN_STATES, ImageStatus
from shared.oci.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedContent:
    """The content that a request asks for.

    `digest` is the digest that the source's tag points to now. If it is None, `unresolved_reason` says why it is
    unknown.
    """

    source: str
    digest: str | None
    platforms: tuple[str, ...]
    force: bool
    referrers: bool = False
    unresolved_reason: str = ""

    @classmethod
    def of(cls, request: ImportRequest, source: FoundSource, digest: Digest | None) -> "RequestedContent":
        """Combine a request with its source and the digest that the source points to."""
        return cls(
            source=str(source.reference),
            digest=str(digest) if digest else None,
            platforms=tuple(sorted({str(platform) for platform in request.platforms})),
            force=request.force,
            referrers=bool(request.referrers),
            unresolved_reason=source.unresolved_reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start an import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Join the import under way, which imports the requested content."""

    message: str = "The image is being imported already; this request joined that import."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """Import nothing: the target has the image."""

    message: str


Decision: TypeAlias = Start | Join | Exists


def decide(
    image: Image, latest: Import | None, last_ready: Import | None, requested: RequestedContent, by: Identity
) -> Decision:
    """Decide from the image, its newest import, and the newest import that made it ready.

    Raises `import_conflict` if the target holds or will hold other content, and `forbidden` if the import would change
    another user's image.
    """
    if latest and latest.state in OPEN_STATES:
        return _decide_open(latest, requested)
    if image.status is ImageStatus.READY and not requested.force:
        answer = _decide_ready(image, last_ready, requested)
        if answer:
            return answer
    if image.status is ImageStatus.READY or image.source != requested.source:
        check_owner(image, by, advice="Choose another `target` for a copy of your own.")
    return Start()


def _decide_open(latest: Import, requested: RequestedContent) -> Join:
    same_content = latest.source == requested.source or (requested.digest and latest.source_digest == requested.digest)
    if not same_content:
        raise LongshoreError(Code.IMPORT_CONFLICT, f"The target is being written from {without_digest(latest.source)}.")
    if latest.platforms != requested.platforms:
        raise LongshoreError(
            Code.IMPORT_CONFLICT, f"The image is being imported for {_listed(latest.platforms)} at the moment."
        )
    if requested.referrers and not latest.with_referrers:
        raise LongshoreError(Code.IMPORT_CONFLICT, "The image is being imported without its referrers at the moment.")
    return Join()


def _decide_ready(image: Image, last_ready: Import | None, requested: RequestedContent) -> Exists | None:
    """Return the answer for a ready image, or None if the request asks for other platforms: that is a new import."""
    platforms = last_ready.platforms if last_ready else ()
    same_platforms = platforms == requested.platforms
    if image.source_digest == requested.digest and same_platforms:
        return Exists(message=_nothing_imported(last_ready, requested))
    if image.source != requested.source:
        raise LongshoreError(
            Code.IMPORT_CONFLICT,
            f"The target holds an image from {without_digest(image.source)}; choose another `target`, or replace it "
            "with `force`.",
        )
    if not same_platforms:
        return None
    moved = f"the source's tag points to {requested.digest} now" if requested.digest else requested.unresolved_reason
    return Exists(message=f"The image is ready, from {_shown_content(image)}; {moved}. `force` imports it again.")


def _nothing_imported(last_ready: Import | None, requested: RequestedContent) -> str:
    if requested.referrers and last_ready and not last_ready.with_referrers:
        return "The image is ready; it was imported without its referrers, which `force` imports."
    return "The image is ready; nothing was imported."


def _shown_content(image: Image) -> str:
    """Return the digest, or where the content came from if a later import from the image's present source failed."""
    return str(image.source_digest) if image.content_source == image.source else without_digest(image.content_source)


def _listed(platforms: tuple[str, ...]) -> str:
    return ", ".join(platforms) or "all platforms"
