"""Describes our own kinds of fields to apispec's marshmallow plugin."""

from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields, validate

from api_service.web.answers import AnswerSchema
from api_service.web.fields import REGISTRY_NAME, NameOrNested, PlatformField, printable, prose
from api_service.web.openapi.words import WORDS
from shared.messages.progress_report import valid_digest
from shared.model.integers import MAX_INT64

# Both sets of control characters and unusual spaces; `printable` refuses some rarer characters as well.
_UNPRINTABLE = r"\u0000-\u001f\u007f-\u00a0\u2028\u2029"
_PATTERNS = (
    (printable, rf"^[^{_UNPRINTABLE}]*$"),
    (prose, rf"^(?:[^{_UNPRINTABLE}]|[\n\r\t])*$"),
    (valid_digest, "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$"),
)
# Any other text of a request: PostgreSQL stores no NUL.
_STORABLE = r"^[^\u0000]*$"
_PLATFORM = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}(/[A-Za-z0-9][A-Za-z0-9._-]{0,31}){1,2}$"


def fields_plugin() -> MarshmallowPlugin:
    """Return the plugin, which names a component after its schema."""
    return MarshmallowPlugin(schema_name_resolver=_component_name)


def teach(plugin: MarshmallowPlugin) -> None:
    """Add our attribute functions; call it after the plugin was added to a document."""
    converter: Any = plugin.converter
    for function in (_pattern, _whole_number, _name_or_nested, _object, _default, _words):
        converter.add_attribute_function(function)


def _component_name(schema: type[Schema] | Schema) -> str:
    """Return the class's name; the private classes of a report's parts get a prefix, because their names are short."""
    name = (schema if isinstance(schema, type) else type(schema)).__name__.removesuffix("Schema")
    return f"Reported{name[1:]}" if name.startswith("_") else name


def _pattern(_converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Return the pattern with anchors: JSON Schema searches, marshmallow matches from the start."""
    if isinstance(field, PlatformField):
        return {"pattern": _PLATFORM}
    for validator in field.validators:
        found = next((pattern for known, pattern in _PATTERNS if validator is known), None)
        if isinstance(validator, validate.Regexp):
            found = f"^(?:{validator.regex.pattern!s})$".replace(r"\Z", "")
        if found:
            return {"pattern": found}
    plain = ret.get("type") in ("string", ["string", "null"]) and "enum" not in ret
    return {"pattern": _STORABLE} if plain and not isinstance(field.parent, AnswerSchema) else {}


def _whole_number(_converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    if not isinstance(field, fields.Integer) or "enum" in ret:
        return {}
    return {"format": "int64", "maximum": min(ret.get("maximum", MAX_INT64), MAX_INT64)}


def _name_or_nested(converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    if not isinstance(field, NameOrNested):
        return {}
    forms = ret.pop("anyOf", None) or [{"$ref": ret.pop("$ref")}]
    name = converter.field2property(fields.String(validate=REGISTRY_NAME, metadata={"description": "A stored one."}))
    return {"anyOf": [name, *forms]}


def _object(converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe keys and the number of entries; the plugin would describe a text's length."""
    if not isinstance(field, fields.Dict):
        return {}
    keys = {"propertyNames": converter.field2property(field.key_field)} if field.key_field else {}
    return keys | ({"maxProperties": ret.pop("maxLength")} if "maxLength" in ret else {})


def _default(_converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Leave out a default of None."""
    if field.load_default is None:
        ret.pop("default", None)
    return {}


def _words(_converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    words = WORDS.get(_component_name(field.parent), {}) if isinstance(field.parent, Schema) else {}
    said = words.get(field.data_key or field.name or "")
    return {"description": said} if said and "description" not in ret else {}
