"""The forms of answers about images."""

from marshmallow import fields

from api_service.web.openapi.answer_fields import AnswerSchema, choice, flag, moment, number, text
from shared.errors.codes import Side
from shared.errors.kinds import ERROR_KINDS
from shared.model.progress import LayerStatus, Transfer
from shared.model.states import ImageStatus, ImportState

_INCLUDE_TYPES = ("full", "partial")
_PERCENT = "0 to 100; never falls while bytes are kept."


class FlatImageSchema(AnswerSchema):
    id = number("The image's id.", required=True)
    tag = text("The repository's last part and the tag.", required=True)
    description = text("What the import was given, else the image's own description.", required=True)
    created_at = number("When it was first asked for, in Unix seconds.", required=True)
    created_by = text("Whose image it is.", required=True)


class ArtifactSchema(AnswerSchema):
    imageTag = text("The tag.", required=True)
    description = text("What the import was given, else the image's own description.", required=True)
    createdTime = moment("When it was first asked for.", required=True)
    userName = text("Whose image it is.", required=True)
    status = choice(ImageStatus, "Whether it can be pulled.", required=True)
    id = number("The image's id.", required=True)
    size = number("Bytes of all distinct blobs and manifests; 0 until it was ready once.", required=True)
    arch = text("Of the linux/amd64 image if there is one, else of the first; empty until ready.", required=True)
    os = text("As for `arch`.", required=True)
    digest = text("What the target's tag points to; empty until ready.", required=True)
    includeType = choice(_INCLUDE_TYPES, "The whole image, or a chosen subset of platforms.", required=True)
    platforms = fields.List(fields.String(), metadata={"description": "`os/architecture[/variant]` of each part."})
    source = text("The reference that it was imported from.")


class RepositorySchema(AnswerSchema):
    registryHost = text("The target's public name.", required=True)
    repo = text("The repository in the target.", required=True)
    artifacts = fields.List(fields.Nested(ArtifactSchema), required=True)


class FlatPageSchema(AnswerSchema):
    totalCount = number("How many images match, on all pages.", required=True)
    images = fields.List(fields.Nested(FlatImageSchema), required=True)


class GroupedPageSchema(AnswerSchema):
    totalCount = number("How many images match, on all pages.", required=True)
    images = fields.List(
        fields.Nested(RepositorySchema),
        required=True,
        metadata={"description": "This page's images by repository, in order of first appearance."},
    )


class ImageImportSchema(AnswerSchema):
    name = text("The import's name.", required=True)
    state = choice(ImportState, "Where it stands.", required=True)
    platforms = fields.List(
        fields.String(), required=True, metadata={"description": "The platforms asked for; empty: all."}
    )


class ImageSchema(ArtifactSchema):
    registryHost = text("The target's public name.")
    repo = text("The repository in the target.")
    sourceDigest = text("What the source's tag pointed to when it was imported.", allow_none=True)
    referrers = number("Signatures, SBOMs and the like that came along with it.")
    reference = text("What to pull, by tag.")
    digestReference = text("What to pull, by digest; null until ready.", allow_none=True)
    latest_import = fields.Nested(ImageImportSchema, data_key="import", allow_none=True)


class LayerDetailSchema(AnswerSchema):
    status = choice(LayerStatus, "Where this blob stands.", required=True)
    progress = number(_PERCENT, required=True)
    size = number("Bytes.")
    offset = number("Bytes that have arrived in the target.")
    transfer = choice(Transfer, "How it came to be in the target; null while it is not.", allow_none=True)


class ImportErrorSchema(AnswerSchema):
    code = choice(sorted(ERROR_KINDS), "From the closed list of codes.", required=True)
    side = choice(Side, "Whose door to knock at.", required=True)
    retryable = flag("Whether another try may help without anybody changing anything.", required=True)
    hint = text("What to do.", required=True)
    title = text("What went wrong.", required=True)
    detail = text("What went wrong in this case.", required=True)


class DetailsSchema(AnswerSchema):
    layersDetail = fields.Dict(
        fields.String(),
        fields.Nested(LayerDetailSchema),
        required=True,
        metadata={"description": "By digest: every config and layer of every platform."},
    )
    name = text("The import's name.")
    status = choice(ImageStatus, "In the words of the list.")
    state = choice(ImportState, "More exactly.")
    progress = number(_PERCENT)
    bytesDone = number("Bytes in the target.")
    bytesTotal = number("Bytes in all; 0 until the worker has read the manifests.")
    rate = number("Bytes a second, over the last seconds.")
    eta = number("Seconds until the end, at this rate; null where that cannot be said.", allow_none=True)
    attempt = number("Attempts so far.")
    stalled = flag("Whether nothing has moved for a while.")
    message = text("One sentence for a person.")
    error = fields.Nested(ImportErrorSchema, allow_none=True)
    resumesAt = moment("When a waiting import is tried again.", allow_none=True)
