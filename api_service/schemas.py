"""The forms of request bodies (marshmallow): unknown fields are refused, and every length has a limit."""

from typing import Any

from marshmallow import Schema, ValidationError, fields, post_load, validate

from api_service.import_request import ImportRequest
from api_service.text import printable
from shared.oci.platform import Platform
from shared.oci.reference import MAX_REFERENCE_LENGTH
from shared.registry.credential import Credential

MAX_DESCRIPTION_LENGTH = 2_000
# Characters of a registry's user name and password; cloud tokens reach some thousands.
MAX_USERNAME_LENGTH = 1_000
MAX_PASSWORD_LENGTH = 16_000
# An index has at most 256 children.
MAX_PLATFORMS = 256
MAX_HOST_LENGTH = 300


def _prose(text: str) -> None:
    printable(text.replace("\n", "").replace("\r", "").replace("\t", ""))


def _line(longest: int) -> tuple[Any, ...]:
    return (validate.Length(1, longest), printable)


class _Boolean(fields.Boolean):
    """true or false and nothing else: 1 equals true in Python, but not in JSON."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class _Platform(fields.String):
    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Platform:  # type: ignore[override]
        try:
            return Platform.parse(super()._deserialize(value, *args, **options))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class _CredentialsSchema(Schema):
    username = fields.String(required=True, validate=_line(MAX_USERNAME_LENGTH))
    password = fields.String(required=True, validate=_line(MAX_PASSWORD_LENGTH))

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> Credential:
        return Credential(**data)


class ImportSchema(Schema):
    """The body of POST /images:import."""

    source = fields.String(required=True, validate=_line(MAX_REFERENCE_LENGTH))
    source_registry = fields.String(data_key="sourceRegistry", allow_none=True, validate=_line(MAX_HOST_LENGTH))
    target = fields.String(allow_none=True, validate=_line(MAX_REFERENCE_LENGTH))
    platforms = fields.List(_Platform(), allow_none=True, validate=validate.Length(min=1, max=MAX_PLATFORMS))
    credentials = fields.Nested(_CredentialsSchema, allow_none=True)
    description = fields.String(allow_none=True, validate=(validate.Length(max=MAX_DESCRIPTION_LENGTH), _prose))
    force = _Boolean(load_default=False)

    @post_load
    def _make(self, data: dict[str, Any], **_: Any) -> ImportRequest:
        given = {name: value for name, value in data.items() if value is not None}
        return ImportRequest(**given | {"platforms": tuple(given.get("platforms", ()))})
