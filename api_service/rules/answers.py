"""The JSON of answers about import rules, next to the schemas that describe it."""

from collections.abc import Sequence
from typing import Any

from marshmallow import fields

from api_service.rules.rule import Limit
from api_service.rules.stored_rules import ShownRule
from api_service.web.answers import AnswerSchema, flag, moment, number, rfc3339, text

_LIMIT = {"least": 1, "required": True, "allow_none": True}


class RuleUsageSchema(AnswerSchema):
    openImports = number("The caller's imports by this rule that are queued, running or waiting.", required=True)
    monthBytes = number("The bytes that the caller has imported by this rule in this month, UTC.", required=True)
    renewsTime = moment("When the month's bytes are counted anew.", required=True)


class ImportRuleSchema(AnswerSchema):
    id = number("The rule's id.", required=True)
    name = text("Its name, which refusals and dry runs show.", required=True)
    subjects = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "`everybody`, `user:NAME` and `group:NAME`; a user sees only those that are the user's own."
        },
    )
    sources = fields.List(fields.String(), required=True, metadata={"description": "Patterns of `host/repository`."})
    targets = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "Patterns of `project/repository`; `{user}`, `{group}`, `{defaultProject}` and `{source}` "
            "stand for the caller's."
        },
    )
    createProjects = flag("Whether missing projects of the target are created.", required=True)
    overwriteForeignTags = flag("Whether `force` replaces tags that Longshore did not write.", required=True)
    maxImageBytes = number("The limit of one image; null: no limit.", **_LIMIT)
    maxOpenImports = number("The limit of each user's open imports; null: no limit.", **_LIMIT)
    maxBytesPerMonth = number("The limit of each user's bytes in a calendar month, UTC; null: no limit.", **_LIMIT)
    weight = number("How many of a user's imports run for each one of a user with weight 1.", least=1, required=True)
    createdBy = text("The admin who made it; empty for users.", required=True)
    createdTime = moment("When it was made.", required=True)
    updatedTime = moment("When it was last changed.", required=True)
    usage = fields.Nested(
        RuleUsageSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The caller's own usage of the limits; null for admins, whom no rule limits."},
    )


class ImportRulesSchema(AnswerSchema):
    totalCount = number("The number of rules that the caller sees.", required=True)
    rules = fields.List(fields.Nested(ImportRuleSchema), required=True)


def rule_json(shown: ShownRule) -> dict[str, Any]:
    """Return one rule."""
    rule = shown.stored.rule
    return {
        "id": rule.id,
        "name": rule.name,
        "subjects": list(rule.subjects),
        "sources": list(rule.sources),
        "targets": list(rule.targets),
        "createProjects": rule.create_projects,
        "overwriteForeignTags": rule.overwrite_foreign,
        Limit.IMAGE_BYTES.value: rule.max_image_bytes,
        Limit.OPEN_IMPORTS.value: rule.max_open_imports,
        Limit.MONTH_BYTES.value: rule.max_bytes_per_month,
        "weight": rule.weight,
        "createdBy": shown.stored.created_by,
        "createdTime": rfc3339(shown.stored.created_at),
        "updatedTime": rfc3339(shown.stored.updated_at),
        "usage": _usage_json(shown),
    }


def rules_json(shown: Sequence[ShownRule]) -> dict[str, Any]:
    """Return the body of GET /import-rules."""
    return {"totalCount": len(shown), "rules": [rule_json(each) for each in shown]}


def _usage_json(shown: ShownRule) -> dict[str, Any] | None:
    if shown.usage is None or shown.renews is None:
        return None
    return {
        "openImports": shown.usage.open_imports,
        "monthBytes": shown.usage.month_bytes,
        "renewsTime": rfc3339(shown.renews),
    }
