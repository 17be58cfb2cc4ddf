"""The body of POST /tokens, and the query of GET /tokens."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api_service.auth.identity import MAX_GROUP_LENGTH, MAX_GROUPS, MAX_USER_LENGTH
from api_service.tokens.api_tokens import MAX_DAYS, ROLES
from api_service.tokens.request import TokenQuery, TokenRequest
from api_service.web.fields import Digits, line, printable, query_boolean
from shared.db.access.tokens import TokenState
from shared.model.integers import MAX_INT64
from shared.model.roles import Role

# Characters: a line in a list.
MAX_DESCRIPTION_LENGTH = 200
MAX_PAGE_SIZE = 200
# All of a user's own tokens fit into one page.
DEFAULT_PAGE_SIZE = 200
# So that the offset of the last page fits PostgreSQL's bigint.
MAX_PAGE_NUMBER = MAX_INT64 // MAX_PAGE_SIZE


def user_name(text: str) -> None:
    """Raise unless the text can be a user's name that an administrator chooses."""
    if not text.strip() or text != text.strip() or len(text) > MAX_USER_LENGTH or not text.isprintable():
        raise ValidationError(f"1 to {MAX_USER_LENGTH} printable characters, no blanks at the ends.")


class NewTokenSchema(Schema):
    """The body of POST /tokens."""

    description = fields.String(load_default="", validate=(validate.Length(max=MAX_DESCRIPTION_LENGTH), printable))
    days = fields.Integer(strict=True, data_key="expiresInDays", validate=validate.Range(1, MAX_DAYS))
    user = fields.String(data_key="userName", validate=user_name)
    role = fields.String(validate=validate.OneOf([role.value for role in ROLES]))
    groups = fields.List(fields.String(validate=line(MAX_GROUP_LENGTH)), validate=validate.Length(max=MAX_GROUPS))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> TokenRequest:
        groups = data.pop("groups", None)
        if "role" in data:
            data["role"] = Role(data["role"])
        return TokenRequest(groups=None if groups is None else frozenset(groups), **data)


class TokenQuerySchema(Schema):
    """The parameters of GET /tokens."""

    everybody = query_boolean(data_key="all", load_default=False)
    user = fields.String(
        data_key="userName", load_default=None, validate=(validate.Length(1, MAX_USER_LENGTH), printable)
    )
    state = fields.Enum(TokenState, by_value=True, load_default=None)
    number = Digits(data_key="page_num", load_default=0, validate=validate.Range(0, MAX_PAGE_NUMBER))
    size = Digits(data_key="page_size", load_default=DEFAULT_PAGE_SIZE, validate=validate.Range(1, MAX_PAGE_SIZE))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> TokenQuery:
        return TokenQuery(**data)
