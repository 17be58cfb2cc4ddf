"""The JSON of answers about imports: schemas for the description, and the functions that render the answers."""

from typing import Any

from marshmallow import fields, validate

from api_service.imports.check_rules import RuleCheck
from api_service.imports.dry_run.report import ContentByAction, DryRunReport, ImportPreview, Overwritten, total_size
from api_service.imports.request import AnswerState, ImportAnswer
from api_service.rules.authorize import Allowed, Refused
from api_service.web.answers import AnswerSchema, choice, flag, number, text
from api_service.web.problems import ProblemSchema
from shared.messages.action import Action
from shared.messages.attempt_start import Admitted, AttemptTerms, dump_admitted, dump_terms
from shared.model.states import ImageStatus

_STOP = {"action": Action.STOP.value}
_STATE = "0: failed, 1: started, 2: the target has the image."


class ImportAnswerSchema(AnswerSchema):
    state = fields.Enum(AnswerState, by_value=fields.Integer, required=True, metadata={"description": _STATE})
    message = text("One sentence for a person.", required=True)
    alreadyImageId = number("The id of the image that the target has, else 0.", required=True)
    imageId = number("The image's id.")
    name = text("The import's name.")


def import_answer_json(answer: ImportAnswer) -> dict[str, Any]:
    exists = answer.state is AnswerState.EXISTS
    return {
        "state": int(answer.state),
        "message": answer.message,
        "alreadyImageId": answer.image_id if exists else 0,
        "imageId": answer.image_id,
        "name": answer.name,
    }


class RefusalSchema(ProblemSchema):
    """An import that was not started: the contract's answer inside the problem."""

    state = number("0: the import was not started.", required=True)
    message = text("The same as `detail`.", required=True)
    alreadyImageId = number("0.", required=True)


def refusal_json(detail: str) -> dict[str, Any]:
    """Return the fields that the contract requires in the problem."""
    return {"state": int(AnswerState.FAILED), "message": detail, "alreadyImageId": 0}


class ContentCountSchema(AnswerSchema):
    total = number("All.", required=True)
    inTarget = number("Already in the target's repository.", required=True)
    mountable = number("In another repository of the target.", required=True)
    toMove = number("To be copied.", required=True)


def _content_count_json(contents: ContentByAction) -> dict[str, int]:
    return {
        "total": len(contents.all),
        "inTarget": len(contents.present),
        "mountable": len(contents.mountable),
        "toMove": len(contents.missing),
    }


class OverwrittenSchema(AnswerSchema):
    imageId = number("The image, null if Longshore does not manage it.", required=True, allow_none=True)
    digest = text("The digest that the tag points to now; empty if it is hidden from you.", required=True)
    status = choice(ImageStatus, "The image's status.", required=True, allow_none=True)
    createdBy = text("The image's owner.", required=True, allow_none=True)


def _overwritten_json(overwritten: Overwritten) -> dict[str, Any]:
    image = overwritten.image
    return {
        "imageId": image.id if image else None,
        "digest": str(overwritten.digest or ""),
        "status": image.status.value if image else None,
        "createdBy": image.created_by if image else None,
    }


class PlanSchema(AnswerSchema):
    source = text("The full source reference.", required=True)
    sourceDigest = text("The digest that it points to now.", required=True)
    target = text("The reference in the target.", required=True)
    platforms = fields.List(fields.String(), required=True, metadata={"description": "The platforms to be imported."})
    includeType = choice(("full", "partial"), "The whole image, or a chosen subset.", required=True)
    bytesTotal = number("All bytes: the sum of the other three.", required=True)
    bytesInTarget = number("Already in the target's repository.", required=True)
    bytesMountable = number("In other repositories of the target.", required=True)
    bytesToMove = number("To be copied from the source.", required=True)
    blobs = fields.Nested(ContentCountSchema, required=True)
    manifests = fields.Nested(ContentCountSchema, required=True)
    referrers = number("Signatures, SBOMs and the like to be imported; included in the figures.", required=True)
    overwrites = fields.Nested(OverwrittenSchema, required=True, allow_none=True)
    quotaRoom = fields.Integer(
        strict=True,
        required=True,
        allow_none=True,
        metadata={"description": "Bytes left in the project's quota; null: no limit, or not known."},
    )
    fits = flag("Whether that is enough.", required=True, allow_none=True)


def _plan_json(preview: ImportPreview) -> dict[str, Any]:
    blobs, manifests = preview.blobs, preview.manifests
    return {
        "source": str(preview.source),
        "sourceDigest": str(preview.plan.source_digest),
        "target": f"{preview.host}/{preview.target}",
        "platforms": [str(platform) for platform in preview.plan.platforms],
        "includeType": preview.plan.include_type,
        "bytesTotal": total_size((*blobs.all, *manifests.all)),
        "bytesInTarget": total_size((*blobs.present, *manifests.present)),
        "bytesMountable": total_size(blobs.mountable),
        "bytesToMove": total_size((*blobs.missing, *manifests.missing)),
        "blobs": _content_count_json(blobs),
        "manifests": _content_count_json(manifests),
        "referrers": preview.referrers.count,
        "overwrites": _overwritten_json(preview.overwrites) if preview.overwrites else None,
        "quotaRoom": preview.quota.free if preview.quota else None,
        "fits": preview.fits,
    }


class DryRunAnswerSchema(AnswerSchema):
    state = fields.Enum(AnswerState, by_value=fields.Integer, required=True, metadata={"description": _STATE})
    message = text("One sentence for a person.", required=True)
    alreadyImageId = number("The id of the image that the target has, else 0.", required=True)
    dryRun = flag("True: nothing was done.", required=True)
    allowedBy = text("The import rule that allows the import; `admin` if the caller needs none.", required=True)
    plan = fields.Nested(PlanSchema, required=True)


def dry_run_json(report: DryRunReport) -> dict[str, Any]:
    return {
        "state": int(report.state),
        "message": report.message,
        "alreadyImageId": report.already_image_id,
        "dryRun": True,
        "allowedBy": report.allowed_by,
        "plan": _plan_json(report.preview),
    }


class ReportAnswerSchema(AnswerSchema):
    action = choice(Action, "Whether the worker goes on with the import.", required=True)


def report_answer_json(action: Action) -> dict[str, Any]:
    return {"action": action.value}


class StopSchema(AnswerSchema):
    """The answer to a worker whose import has ended."""

    action = fields.String(
        required=True,
        validate=validate.Equal(Action.STOP.value),
        metadata={"description": "Stop: the import has ended."},
    )


def terms_json(terms: AttemptTerms | None) -> dict[str, Any]:
    return dump_terms(terms) if terms else _STOP


def admission_json(permission: Allowed | None) -> dict[str, Any]:
    return dump_admitted(Admitted(may_create_project=permission.may_create_project)) if permission else _STOP


class ConsideredRuleSchema(AnswerSchema):
    id = number("The rule's id.", required=True)
    name = text("Its name.", required=True)
    reason = text("Whether it has the source and the target.", required=True)


class RuleCheckAnswerSchema(AnswerSchema):
    allowed = flag("Whether a rule allows the import, by the names alone.", required=True)
    message = text("One sentence for a person.", required=True)
    source = text("`host/repository`, as patterns see it.", required=True)
    target = text("`project/repository:tag`.", required=True)
    ruleId = number("The rule that allows it; null: none does, or an admin needs none.", required=True, allow_none=True)
    code = text("The error's code, if it is refused, else empty.", required=True)
    hint = text("The error's hint, if it is refused, else empty.", required=True)
    rules = fields.List(
        fields.Nested(ConsideredRuleSchema),
        required=True,
        metadata={"description": "The rules that apply to the user."},
    )


def rule_check_json(check: RuleCheck) -> dict[str, Any]:
    permission = check.permission
    refused = permission.error if isinstance(permission, Refused) else None
    rule = permission.rule if isinstance(permission, Allowed) else None
    allowed_by = f"The import rule {rule.name} allows the import." if rule else "Admins need no import rule."
    return {
        "allowed": refused is None,
        "message": refused.detail if refused else allowed_by,
        "source": check.source,
        "target": str(check.target),
        "ruleId": rule.id if rule else None,
        "code": refused.code.value if refused else "",
        "hint": refused.kind.hint if refused else "",
        "rules": [{"id": each.id, "name": each.name, "reason": reason} for each, reason in check.considered],
    }
