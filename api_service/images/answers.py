"""The JSON of answers about images, next to the schemas that describe it."""

from typing import Any

from marshmallow import fields

from api_service.images.get_image import ImageWithImport
from api_service.images.import_details import MAX_LAYERS_SHOWN, ImportDetails, ImportFailure
from api_service.images.list_images import FlatPage, GroupedPage
from api_service.images.visibility import without_digest
from api_service.web.answers import AnswerSchema, choice, flag, moment, number, rfc3339, rfc3339_of, text
from api_service.web.event_stream import event
from shared.db.image_list.rows import BriefImage, ListedImage
from shared.db.images import Image
from shared.db.imports import Import
from shared.errors.codes import Side
from shared.errors.kinds import ERROR_KINDS
from shared.model.progress import LayerProgress, LayersSummary, LayerStatus, Transfer
from shared.model.states import ImageStatus, ImportState

# The name of the events of a stream.
DETAILS_EVENT = "details"
_INCLUDE_TYPES = ("full", "partial")
_HIDDEN = (
    "Whether digests and layers are left out: the source needed an account, and no import rule of yours allows it."
)
_PERCENT = "0 to 100; never falls while bytes are kept."

_MESSAGES = {
    ImportState.QUEUED: "Waiting for a worker.",
    ImportState.READY: "The image is ready.",
    ImportState.CANCELLED: "The import was cancelled.",
}


class FlatImageSchema(AnswerSchema):
    id = number("The image's id.", required=True)
    tag = text("The repository's last part and the tag.", required=True)
    description = text("The import's description, else the image's own.", required=True)
    created_at = number("When its first import was requested, in Unix seconds.", required=True)
    created_by = text("The image's owner.", required=True)


class ArtifactSchema(AnswerSchema):
    imageTag = text("The tag.", required=True)
    description = text("The import's description, else the image's own.", required=True)
    createdTime = moment("When its first import was requested.", required=True)
    userName = text("The image's owner.", required=True)
    status = choice(ImageStatus, "The image's status.", required=True)
    id = number("The image's id.", required=True)
    size = number("Bytes of all distinct blobs and manifests; 0 until it was ready once.", required=True)
    arch = text("Of the linux/amd64 image if there is one, else of the first; empty until ready.", required=True)
    os = text("As for `arch`.", required=True)
    digest = text("The digest that the target's tag points to; empty until ready.", required=True)
    includeType = choice(_INCLUDE_TYPES, "The whole image, or a chosen subset of platforms.", required=True)
    platforms = fields.List(fields.String(), metadata={"description": "`os/architecture[/variant]` of each part."})
    source = text("The reference that it was imported from.")
    contentHidden = flag(_HIDDEN)


class RepositorySchema(AnswerSchema):
    registryHost = text("The target's public name.", required=True)
    repo = text("The repository in the target.", required=True)
    artifacts = fields.List(fields.Nested(ArtifactSchema), required=True)


class FlatPageSchema(AnswerSchema):
    totalCount = number("The number of matching images on all pages.", required=True)
    images = fields.List(fields.Nested(FlatImageSchema), required=True)


class GroupedPageSchema(AnswerSchema):
    totalCount = number("The number of matching images on all pages.", required=True)
    images = fields.List(
        fields.Nested(RepositorySchema),
        required=True,
        metadata={"description": "This page's images by repository, in order of first appearance."},
    )


def page_json(page: FlatPage | GroupedPage) -> dict[str, Any]:
    """Return the body of GET /images in the requested form."""
    if isinstance(page, FlatPage):
        return {"totalCount": page.total, "images": [_flat(image) for image in page.images]}
    return {"totalCount": page.total, "images": _grouped(page)}


def _flat(image: BriefImage) -> dict[str, Any]:
    return {
        "id": image.id,
        "tag": f"{image.repository.rpartition('/')[2]}:{image.tag}",
        "description": image.description,
        "created_at": image.created_ms // 1000,
        "created_by": image.created_by,
    }


def _grouped(page: GroupedPage) -> list[dict[str, Any]]:
    """Group by repository, in order of first appearance."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for image in page.images:
        artifact = _artifact(image, created=rfc3339_of(image.created_ms), hidden=image.id in page.hidden)
        groups.setdefault((image.registry_host, image.repository), []).append(artifact)
    return [
        {"registryHost": host, "repo": repository, "artifacts": artifacts}
        for (host, repository), artifacts in groups.items()
    ]


def _artifact(image: Image | ListedImage, *, created: str, hidden: bool) -> dict[str, Any]:
    """Return the contract's fields, and `platforms`, `source` and `contentHidden`.

    `digest`, `arch` and `os` are empty, and `size` is 0, until the image has been ready once. `digest` is also empty
    for a caller from whom the content is `hidden`.
    """
    return {
        "imageTag": image.tag,
        "description": image.description,
        "createdTime": created,
        "userName": image.created_by,
        "status": image.status,
        "id": image.id,
        "size": image.size,
        "arch": image.architecture,
        "os": image.os,
        "digest": "" if hidden else image.digest or "",
        "includeType": image.include_type,
        "platforms": image.platforms,
        "source": without_digest(image.source) if hidden else image.source,
        "contentHidden": hidden,
    }


class ImageImportSchema(AnswerSchema):
    name = text("The import's name.", required=True)
    state = choice(ImportState, "The import's state.", required=True)
    platforms = fields.List(
        fields.String(), required=True, metadata={"description": "The requested platforms; empty: all."}
    )


class ImageSchema(ArtifactSchema):
    registryHost = text("The target's public name.")
    repo = text("The repository in the target.")
    sourceDigest = text("The digest of the source's tag when it was imported.", allow_none=True)
    referrers = number("Signatures, SBOMs and the like that were imported with it.")
    reference = text("The reference to pull, by tag.")
    digestReference = text("The reference to pull, by digest; null until ready, or hidden.", allow_none=True)
    latest_import = fields.Nested(ImageImportSchema, data_key="import", allow_none=True)


def image_json(found: ImageWithImport) -> dict[str, Any]:
    """Return the body of GET /images/:id: the artifact's fields, and those needed to pull the image."""
    image, hidden = found.image, found.hidden
    name = f"{image.registry_host}/{image.repository}"
    return {
        "registryHost": image.registry_host,
        "repo": image.repository,
        **_artifact(image, created=rfc3339(image.created_at), hidden=hidden),
        "sourceDigest": None if hidden else image.source_digest,
        "referrers": image.referrers,
        "reference": f"{name}:{image.tag}",
        "digestReference": f"{name}@{image.digest}" if image.digest and not hidden else None,
        "import": _import(found.latest) if found.latest else None,
    }


def _import(latest: Import) -> dict[str, Any]:
    return {"name": latest.name, "state": latest.state.value, "platforms": list(latest.platforms)}


class LayerDetailSchema(AnswerSchema):
    status = choice(LayerStatus, "The blob's state.", required=True)
    progress = number(_PERCENT, required=True)
    size = number("Bytes.")
    offset = number("Bytes that the target has received.")
    transfer = choice(Transfer, "How the target got it; null while it is missing.", allow_none=True)


class ImportErrorSchema(AnswerSchema):
    code = choice(sorted(ERROR_KINDS), "From the closed list of codes.", required=True)
    side = choice(Side, "The side that has to act.", required=True)
    retryable = flag("Whether the same import may succeed later.", required=True)
    hint = text("The recommended action.", required=True)
    title = text("The kind of error.", required=True)
    detail = text("The error in this case.", required=True)


class TransferredLayersSchema(AnswerSchema):
    layers = number("The number of blobs.", required=True)
    bytes = number("Bytes that the target has received.", required=True)


class LayersSummarySchema(AnswerSchema):
    total = number("All configs and layers of all platforms.", required=True)
    shown = number("The entries of `layersDetail`.", required=True)
    pending = number("Blobs that wait.", required=True)
    downloading = number("Blobs that are being copied.", required=True)
    completed = number("Blobs that the target has.", required=True)
    failed = number("Blobs that were not completed.", required=True)
    copied = fields.Nested(TransferredLayersSchema, required=True)
    mounted = fields.Nested(TransferredLayersSchema, required=True)
    existing = fields.Nested(TransferredLayersSchema, required=True)


class DetailsSchema(AnswerSchema):
    layersDetail = fields.Dict(
        fields.String(),
        fields.Nested(LayerDetailSchema),
        required=True,
        metadata={
            "description": f"By digest: every config and layer of every platform. Of more than {MAX_LAYERS_SHOWN}, "
            "those that are being copied come first, then failed and waiting ones; `page_num` selects others."
        },
    )
    layersSummary = fields.Nested(LayersSummarySchema, metadata={"description": "All layers, counted."})
    name = text("The import's name.")
    status = choice(ImageStatus, "The status, as in the list.")
    state = choice(ImportState, "The import's state, which is more exact.")
    progress = number(_PERCENT)
    bytesDone = number("Bytes in the target.")
    bytesTotal = number("Bytes in all; 0 until the worker has read the manifests.")
    rate = number("Bytes a second, over the last seconds.")
    eta = number("Seconds until the end, at this rate; null if unknown.", allow_none=True)
    attempt = number("Attempts so far.")
    stalled = flag("Whether no bytes have arrived for a while.")
    message = text("One sentence for a person.")
    error = fields.Nested(ImportErrorSchema, allow_none=True)
    resumesAt = moment("When a waiting import is tried again.", allow_none=True)
    contentHidden = flag(_HIDDEN)


def details_json(details: ImportDetails) -> dict[str, Any]:
    """Return the body of GET /images/:id/importing-details."""
    return {
        "name": details.name,
        "status": details.status.value,
        "state": details.state.value,
        "progress": details.progress,
        "bytesDone": details.bytes_done,
        "bytesTotal": details.bytes_total,
        "rate": details.rate,
        "eta": details.eta,
        "attempt": details.attempt,
        "stalled": details.stalled,
        "message": _message(details),
        "error": _error(details.failure) if details.failure else None,
        "resumesAt": rfc3339(details.resumes_at) if details.resumes_at else None,
        "contentHidden": details.hidden,
        "layersSummary": _summary(details.summary, shown=len(details.layers)),
        "layersDetail": {digest: _layer(layer) for digest, layer in details.layers.items()},
    }


def details_event(details: ImportDetails) -> bytes:
    """Return the body as an event of a stream."""
    return event(details_json(details), id=details.version, name=DETAILS_EVENT)


def _message(details: ImportDetails) -> str:
    if details.state is ImportState.RUNNING:
        return _running_message(details)
    if details.failure is None:
        return f"{_MESSAGES.get(details.state, details.state.value.capitalize())} {details.note}".strip()
    if details.lost:
        return details.failure.detail
    kind = ERROR_KINDS[details.failure.code]
    reason = f"{kind.title}: {details.failure.detail}"
    if details.resumes_at is None:
        return reason
    return f"{'Resumes' if kind.parks else 'Tried again'} at {rfc3339(details.resumes_at)}. {reason}"


def _running_message(details: ImportDetails) -> str:
    if details.stalled:
        return "Nothing has moved for a while; the worker is still there."
    if details.tagging:
        return "Everything is copied; the tag is being written."
    if details.bytes_total == 0:
        return "Reading what the image consists of."
    return "Copying."


def _error(failure: ImportFailure) -> dict[str, Any]:
    kind = ERROR_KINDS[failure.code]
    return {
        "code": kind.code,
        "side": kind.side.value,
        "retryable": kind.retryable,
        "hint": kind.hint,
        "title": kind.title,
        "detail": failure.detail,
    }


def _summary(summary: LayersSummary, *, shown: int) -> dict[str, Any]:
    return {
        "total": summary.total,
        "shown": shown,
        **{status.value: summary.statuses.get(status, 0) for status in LayerStatus},
        **{
            transfer.value: {"layers": summary.layers.get(transfer, 0), "bytes": summary.bytes.get(transfer, 0)}
            for transfer in Transfer
        },
    }


def _layer(layer: LayerProgress) -> dict[str, Any]:
    return {
        "status": layer.status.value,
        "progress": layer.percent,
        "size": layer.size,
        "offset": layer.offset,
        "transfer": layer.transfer.value if layer.transfer else None,
    }
