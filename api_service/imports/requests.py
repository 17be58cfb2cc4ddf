"""Schemas of request bodies: unknown fields are refused, and every length has a limit."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from api_service.auth.identity import MAX_GROUP_LENGTH, MAX_USER_LENGTH
from api_service.imports.request import ImportRequest, RetryRequest, RuleCheckRequest
from api_service.web.fields import (
    MAX_HOST_LENGTH,
    MAX_PASSWORD_LENGTH,
    MAX_USERNAME_LENGTH,
    Boolean,
    NameOrNested,
    PlatformField,
    line,
    prose,
)
from shared.model.credential import Credential
from shared.oci.reference import MAX_REFERENCE_LENGTH

MAX_DESCRIPTION_LENGTH = 2_000
# An index has at most 256 children.
MAX_PLATFORMS = 256
# Groups of one user in a check; directories with more send them by reference, not in a token.
MAX_GROUPS = 200


class CredentialsSchema(Schema):
    """A registry account."""

    username = fields.String(required=True, validate=line(MAX_USERNAME_LENGTH))
    password = fields.String(required=True, validate=line(MAX_PASSWORD_LENGTH))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Credential:
        return Credential(**data)


class ImportSchema(Schema):
    """The body of POST /images:import."""

    source = fields.String(required=True, validate=line(MAX_REFERENCE_LENGTH))
    source_registry = fields.String(data_key="sourceRegistry", allow_none=True, validate=line(MAX_HOST_LENGTH))
    target = fields.String(allow_none=True, validate=line(MAX_REFERENCE_LENGTH))
    platforms = fields.List(PlatformField(), allow_none=True, validate=validate.Length(min=1, max=MAX_PLATFORMS))
    credentials = NameOrNested(CredentialsSchema, allow_none=True)
    description = fields.String(allow_none=True, validate=(validate.Length(max=MAX_DESCRIPTION_LENGTH), prose))
    force = Boolean(load_default=False)
    dry_run = Boolean(data_key="dryRun", load_default=False)
    referrers = Boolean(allow_none=True)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ImportRequest:
        given = {name: value for name, value in data.items() if value is not None}
        return ImportRequest(**given | {"platforms": tuple(given.get("platforms", ()))})


class RetrySchema(Schema):
    """The optional body of POST /images/:id/importing:retry."""

    credentials = NameOrNested(CredentialsSchema, allow_none=True, load_default=None)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RetryRequest:
        return RetryRequest(**data)


class RuleCheckSchema(Schema):
    """The body of POST /import-rules:check."""

    source = fields.String(required=True, validate=line(MAX_REFERENCE_LENGTH))
    target = fields.String(allow_none=True, validate=line(MAX_REFERENCE_LENGTH))
    user = fields.String(allow_none=True, validate=line(MAX_USER_LENGTH))
    groups = fields.List(fields.String(validate=line(MAX_GROUP_LENGTH)), validate=validate.Length(max=MAX_GROUPS))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> RuleCheckRequest:
        return RuleCheckRequest(**data | {"groups": tuple(data.get("groups", ()))})
