"""Fields of JSON bodies and queries (marshmallow), as strict as JSON itself."""

import re
from typing import Any

from marshmallow import ValidationError, fields, validate

from shared.oci.platform import Platform

# Characters of a registry's user name and password; cloud tokens reach some thousands.
MAX_USERNAME_LENGTH = 1_000
MAX_PASSWORD_LENGTH = 16_000
MAX_HOST_LENGTH = 300
# Characters of a stored registry's name, which people type into requests.
MAX_REGISTRY_NAME_LENGTH = 100

_DIGITS = re.compile(r"-?[0-9]{1,19}")

REGISTRY_NAME = (
    validate.Length(1, MAX_REGISTRY_NAME_LENGTH),
    validate.Regexp(
        r"[A-Za-z0-9][A-Za-z0-9._-]*\Z", error="Letters, digits, '.', '_' and '-'; a letter or digit first."
    ),
)


def printable(text: str) -> None:
    """Raise for control characters, half surrogate pairs and the like, which mislead readers of lists and logs."""
    if not text.isprintable():
        raise ValidationError("Has characters that cannot be printed.")


def prose(text: str) -> None:
    """Raise for characters that are neither printable nor a line break or tabulator."""
    printable(text.replace("\n", "").replace("\r", "").replace("\t", ""))


def line(longest: int) -> tuple[Any, ...]:
    """Return the validators of one line of text with at most so many characters."""
    return (validate.Length(1, longest), printable)


class Digits(fields.Integer):
    """A number in a query, in digits only; int() would accept `+1`, `1_0` and other scripts' digits as well."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if not isinstance(value, str) or _DIGITS.fullmatch(value) is None:
            raise self.make_error("invalid", input=value)
        return int(value)


class Boolean(fields.Boolean):
    """Only true or false: 1 equals true in Python, but not in JSON."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def query_boolean(**options: Any) -> fields.Boolean:
    """Only the words true and false."""
    messages: dict[str, Any] = {"invalid": "Must be true or false."}
    return fields.Boolean(truthy={"true"}, falsy={"false"}, error_messages=messages, **options)


class PlatformField(fields.String):
    """`os/architecture[/variant]`."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Platform:  # type: ignore[override]
        try:
            return Platform.parse(super()._deserialize(value, *args, **options))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class NameOrNested(fields.Nested):
    """A stored registry's name, or an object of the nested schema."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(value, str):
            return super()._deserialize(value, *args, **options)
        for check in REGISTRY_NAME:
            check(value)
        return value
