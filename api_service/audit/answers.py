"""The JSON of the audit log, next to the schemas that describe it."""

from typing import Any

from marshmallow import fields

from api_service.audit.read_events import AuditPage
from api_service.web.answers import AnswerSchema, choice, moment, number, rfc3339, text
from shared.db.access.audit import AuditRow
from shared.model.roles import Role


class AuditEventSchema(AnswerSchema):
    id = number("The event's id.", required=True)
    time = moment("When the request was answered.", required=True)
    userName = text(
        "The user's name; null: the request proved no identity; `longshore-api`: a command.",
        required=True,
        allow_none=True,
    )
    issuer = text("The user's issuer; empty for users of API tokens.", required=True, allow_none=True)
    subject = text("The user's name for the issuer, which never changes.", required=True, allow_none=True)
    role = choice(Role, "The token's role.", required=True, allow_none=True)
    tokenId = number("The API token; null: a token of the OIDC issuer, or none.", required=True, allow_none=True)
    address = text("The client's address.", required=True, allow_none=True)
    operation = text("The operation's id in this description, or `command:` and a command's name.", required=True)
    object = text("The image, rule, registry or token, by name or id; empty if the request names none.", required=True)
    ruleId = number("The import rule that allowed the request; null: none did.", required=True, allow_none=True)
    status = number("The HTTP status of the answer; 0: the client left before it.", required=True)
    code = text("The error code of a refusal or failure.", required=True, allow_none=True)
    requestId = text("The request's id in the logs.", required=True, allow_none=True)


class AuditPageSchema(AnswerSchema):
    events = fields.List(
        fields.Nested(AuditEventSchema), required=True, metadata={"description": "The events, newest first."}
    )
    nextBefore = number("`before` of the next page; null: there is none.", required=True, allow_none=True)


def page_json(page: AuditPage) -> dict[str, Any]:
    """Return the body of GET /audit."""
    return {"events": [_event_json(row) for row in page.rows], "nextBefore": page.next_before}


def _event_json(row: AuditRow) -> dict[str, Any]:
    event = row.event
    return {
        "id": row.id,
        "time": rfc3339(row.at),
        "userName": event.user_name,
        "issuer": event.issuer,
        "subject": event.subject,
        "role": event.role,
        "tokenId": event.token_id,
        "address": event.address,
        "operation": event.operation,
        "object": event.object,
        "ruleId": event.rule_id,
        "status": event.status,
        "code": event.code,
        "requestId": event.request_id,
    }
