"""What a request to import means where its target has been imported before. Pure."""

from dataclasses import dataclass

from api_service.auth.identity import Identity
from api_service.images.checks import check_owner
from api_service.imports.request import ImportRequest
from shared.db.images import Image
from shared.db.imports import Import
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.model.states import OPEN_STATES, ImageStatus
from shared.oci.digest import Digest
from shared.oci.engine_image import DOCKER_DAEMON, ImageSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The content that is asked for. `digest` is what the source's tag points to now, None when that is not known."""

    source: str
    digest: str | None
    platforms: tuple[str, ...]
    force: bool
    referrers: bool = False

    @classmethod
    def of(cls, request: ImportRequest, source: ImageSource, digest: Digest | None) -> "Wanted":
        """Take from a request what decides, with its source and what that points to."""
        return cls(
            source=str(source),
            digest=str(digest) if digest else None,
            platforms=tuple(sorted({str(platform) for platform in request.platforms})),
            force=request.force,
            referrers=bool(request.referrers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Import it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """The import that is under way brings what is wanted."""

    message: str = "The image is being imported already; this request joined that import."


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """The target has it."""

    message: str


def judge(
    image: Image, latest: Import | None, last_ready: Import | None, wanted: Wanted, by: Identity
) -> Start | Join | Exists:
    """Decide, given the image, its newest import, and the newest one that made it ready.

    Raises `import_conflict` where the target is taken, and `forbidden` where the image is somebody else's to change.
    """
    if latest and latest.state in OPEN_STATES:
        return _judge_open(latest, wanted)
    if image.status is ImageStatus.READY and not wanted.force:
        answer = _judge_ready(image, last_ready, wanted)
        if answer:
            return answer
    if image.status is ImageStatus.READY or image.source != wanted.source:
        check_owner(image.id, image.created_by, by, advice="Choose another `target` for a copy of your own.")
    return Start()


def _judge_open(latest: Import, wanted: Wanted) -> Join:
    same_content = latest.source == wanted.source or (wanted.digest and latest.source_digest == wanted.digest)
    if not same_content:
        raise LongshoreError(Code.IMPORT_CONFLICT, f"The target is being written from {latest.source}.")
    if latest.platforms != wanted.platforms:
        raise LongshoreError(
            Code.IMPORT_CONFLICT, f"The image is being imported for {_listed(latest.platforms)} at the moment."
        )
    if wanted.referrers and not latest.with_referrers:
        raise LongshoreError(Code.IMPORT_CONFLICT, "The image is being imported without its referrers at the moment.")
    return Join()


def _judge_ready(image: Image, last_ready: Import | None, wanted: Wanted) -> Exists | None:
    """Return the answer for a ready image; None where other platforms are wanted, which is a new import."""
    platforms = last_ready.platforms if last_ready else ()
    same_platforms = platforms == wanted.platforms
    if image.source_digest == wanted.digest and same_platforms:
        return Exists(message=_nothing_imported(last_ready, wanted))
    if image.source != wanted.source:
        raise LongshoreError(
            Code.IMPORT_CONFLICT,
            f"The target holds an image from {image.source}; choose another `target`, or replace it with `force`.",
        )
    if not same_platforms:
        return None
    if wanted.digest is None and wanted.source.startswith(DOCKER_DAEMON):
        return Exists(
            message=f"The image is ready, as the Docker Engine's image {image.source_digest}; whether the name means "
            "another one by now, only a worker can tell. `force` imports it again."
        )
    if wanted.digest is None:
        return Exists(
            message="The image is ready; its source is too slow to tell whether the tag has moved. "
            "`force` imports it again."
        )
    return Exists(
        message=f"The image is ready, from {image.source_digest}; the source's tag points to {wanted.digest} by now. "
        "`force` imports it again."
    )


def _nothing_imported(last_ready: Import | None, wanted: Wanted) -> str:
    if wanted.referrers and last_ready and not last_ready.with_referrers:
        return "The image is ready; it was imported without its referrers, which `force` brings."
    return "The image is ready; nothing was imported."


def _listed(platforms: tuple[str, ...]) -> str:
    return ", ".join(platforms) or "all platforms"
