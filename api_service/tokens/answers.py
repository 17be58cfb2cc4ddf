"""The JSON of answers about API tokens, next to the schemas that describe it."""

from typing import Any

from marshmallow import fields

from api_service.auth.identity import Identity
from api_service.web.answers import AnswerSchema, choice, flag, moment, number, rfc3339, text
from shared.db.access.tokens import ApiToken, CreatedToken, TokenPage, TokenState
from shared.model.roles import Role


class TokenSchema(AnswerSchema):
    id = number("The token's id.", required=True)
    userName = text("The name of its user, for display.", required=True)
    issuer = text("The issuer of the user's identity; empty: only API tokens name the user.", required=True)
    subject = text("The user's identity at the issuer.", required=True)
    role = choice(Role, "Its role.", required=True)
    groups = fields.List(
        fields.String(), required=True, metadata={"description": "The groups that import rules can name."}
    )
    description = text("As given when it was created.", required=True)
    state = choice(TokenState, "Whether it is accepted.", required=True)
    current = flag("Whether it is the token of this request.", required=True)
    createdBy = text("The user who created it; null: the operator's command.", required=True, allow_none=True)
    createdTime = moment("When it was created.", required=True)
    expiresTime = moment("Its end; null: it does not expire.", required=True, allow_none=True)
    revokedTime = moment("When it was revoked; null: it is not.", required=True, allow_none=True)
    lastUsedTime = moment("Its last use, to the minute; null: never.", required=True, allow_none=True)


class NewTokenAnswerSchema(TokenSchema):
    token = text("The secret; no other answer shows it.", required=True)


class TokensSchema(AnswerSchema):
    totalCount = number("The number of matching tokens on all pages.", required=True)
    tokens = fields.List(fields.Nested(TokenSchema), required=True)


def token_json(token: ApiToken) -> dict[str, Any]:
    """Return a token without its secret, and without `current`."""
    times = {
        "createdTime": token.created_at,
        "expiresTime": token.expires_at,
        "revokedTime": token.revoked_at,
        "lastUsedTime": token.last_used_at,
    }
    return {
        "id": token.id,
        "userName": token.user_name,
        "issuer": token.owner.issuer,
        "subject": token.owner.subject,
        "role": token.role.value,
        "groups": token.groups,
        "description": token.description,
        "state": token.state.value,
        "createdBy": token.created_by,
        **{name: rfc3339(time) if time else None for name, time in times.items()},
    }


def created_json(created: CreatedToken, by: Identity) -> dict[str, Any]:
    """Return a new token with its secret."""
    return {**_seen_json(created.token, by), "token": created.secret}


def tokens_json(page: TokenPage, by: Identity) -> dict[str, Any]:
    """Return the body of GET /tokens."""
    return {"totalCount": page.total, "tokens": [_seen_json(token, by) for token in page.tokens]}


def _seen_json(token: ApiToken, by: Identity) -> dict[str, Any]:
    return {**token_json(token), "current": by.token_id == token.id}
