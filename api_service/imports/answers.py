"""The forms of answers to those who start imports, and to those who carry them out."""

from marshmallow import fields

from api_service.imports.apply_report import Action
from api_service.imports.request import AnswerState
from api_service.web.openapi.answer_fields import AnswerSchema, choice, flag, number, text
from api_service.web.openapi.problem_schema import ProblemSchema
from shared.model.states import ImageStatus

_STATE = "0: failed, 1: started, 2: the image is there already."


class ImportAnswerSchema(AnswerSchema):
    state = fields.Enum(AnswerState, by_value=fields.Integer, required=True, metadata={"description": _STATE})
    message = text("One sentence for a person.", required=True)
    alreadyImageId = number("The image that is there already, else 0.", required=True)
    imageId = number("The image's id.")
    name = text("The import's name.")


class ContentCountSchema(AnswerSchema):
    total = number("All.", required=True)
    inTarget = number("There already.", required=True)
    mountable = number("In another repository of the target.", required=True)
    toMove = number("To be copied.", required=True)


class OverwrittenSchema(AnswerSchema):
    imageId = number("The image, null where Longshore does not manage it.", required=True, allow_none=True)
    digest = text("What the tag points to now.", required=True)
    status = choice(ImageStatus, "The image's status.", required=True, allow_none=True)
    createdBy = text("Whose image it is.", required=True, allow_none=True)


class PlanSchema(AnswerSchema):
    source = text("The source, in full.", required=True)
    sourceDigest = text("What it points to now.", required=True)
    target = text("Where it would go.", required=True)
    platforms = fields.List(fields.String(), required=True, metadata={"description": "Those that would be copied."})
    includeType = choice(("full", "partial"), "The whole image, or a chosen subset.", required=True)
    bytesTotal = number("All of it.", required=True)
    bytesInTarget = number("In the target's repository already.", required=True)
    bytesMountable = number("In other repositories of the target.", required=True)
    bytesToMove = number("To be copied from the source.", required=True)
    blobs = fields.Nested(ContentCountSchema, required=True)
    manifests = fields.Nested(ContentCountSchema, required=True)
    referrers = number("Signatures, SBOMs and the like that would come along; the figures hold them.", required=True)
    overwrites = fields.Nested(OverwrittenSchema, required=True, allow_none=True)
    quotaRoom = fields.Integer(
        strict=True,
        required=True,
        allow_none=True,
        metadata={"description": "Bytes that the project may still take; null: no limit, or not known."},
    )
    fits = flag("Whether that is enough.", required=True, allow_none=True)


class DryRunAnswerSchema(AnswerSchema):
    state = fields.Enum(AnswerState, by_value=fields.Integer, required=True, metadata={"description": _STATE})
    message = text("One sentence for a person.", required=True)
    alreadyImageId = number("The image that is there already, else 0.", required=True)
    dryRun = flag("Nothing was done.", required=True)
    plan = fields.Nested(PlanSchema, required=True)


class RefusalSchema(ProblemSchema):
    """An import that was not started: the contract's answer inside the problem."""

    state = number("0: the import has not started.", required=True)
    message = text("The same as `detail`.", required=True)
    alreadyImageId = number("0.", required=True)


class ReportAnswerSchema(AnswerSchema):
    action = choice(Action, "Whether the worker goes on with the import.", required=True)
