"""Reads the API's JSON objects into dataclasses. A field is declared once, in its class.

The key of a field is its name in camel case, unless `Annotated[..., Key("name")]` gives another one. A field with a
default, or with a type that admits None, may be null or missing. A field named `raw` receives the whole object. Unknown
keys are ignored, so that the client understands an API of a later release.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

from longshore_client.errors import UnexpectedAnswerError

Json: TypeAlias = Mapping[str, Any]
_Reader: TypeAlias = Callable[[Any, str], Any]
_T = TypeVar("_T")
_RAW = "raw"


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a field in JSON; `outer.inner` is a key of a nested object."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """A field of a dataclass, and how its value is read."""

    name: str
    key: str
    read: _Reader
    nullable: bool
    has_default: bool


def decode(cls: type[_T], document: Json, *, raw: Json | None = None) -> _T:
    """Return an instance of a dataclass. `raw` replaces the document in the field of that name.

    Raises UnexpectedAnswerError for a field that is missing or of another type.
    """
    kind: object = cls  # mypy does not take a class for hashable, which a cache key is.
    values: dict[str, Any] = {}
    for field in _fields(kind):
        value = _find(document, field.key)
        if value is not None:
            values[field.name] = field.read(value, field.key)
        elif not field.has_default:
            values[field.name] = None if field.nullable else _reject(field.key)
    if _keeps_raw(kind):
        values[_RAW] = document if raw is None else raw
    return cls(**values)


def json_object(body: object) -> Json:
    """Return a body that must be a JSON object; raises UnexpectedAnswerError."""
    if not isinstance(body, dict):
        raise UnexpectedAnswerError("The API's answer is not a JSON object.", hint="Check the address of the API.")
    return body


def need(document: Json, key: str, kind: type[_T]) -> _T:
    """Return a value that must be present and of this type; raises UnexpectedAnswerError."""
    return _checked(document.get(key), key, kind)


def objects(document: Json, key: str) -> list[Json]:
    """Return a list of objects; raises UnexpectedAnswerError."""
    return [_checked(entry, key, dict) for entry in need(document, key, list)]


@cache
def _fields(cls: Any) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    return tuple(
        _described(field.name, hints[field.name], has_default=field.default is not MISSING)
        for field in fields(cls)
        if field.name != _RAW
    )


@cache
def _keeps_raw(cls: Any) -> bool:
    return any(field.name == _RAW for field in fields(cls))


def _described(name: str, hint: Any, *, has_default: bool) -> _Field:
    first, *rest = name.split("_")
    key = first + "".join(word.capitalize() for word in rest)
    if get_origin(hint) is Annotated:
        hint, marker = get_args(hint)
        key = marker.name
    nullable = get_origin(hint) is UnionType
    if nullable:
        [hint] = (part for part in get_args(hint) if part is not NoneType)
    return _Field(name=name, key=key, read=_reader(hint), nullable=nullable, has_default=has_default)


def _reader(hint: Any) -> _Reader:
    """Return the function that reads values of a type."""
    if get_origin(hint) is tuple:
        read = _reader(get_args(hint)[0])
        return lambda value, key: tuple(read(entry, key) for entry in _checked(value, key, list))
    if isinstance(hint, type) and is_dataclass(hint):
        return lambda value, key: decode(hint, _checked(value, key, dict))
    if hint is datetime:
        return _moment
    return lambda value, key: _checked(value, key, hint)


def _find(document: Json, key: str) -> Any:
    if "." not in key:
        return document.get(key)
    outer, _, inner = key.partition(".")
    value = document.get(outer)
    return None if value is None else _checked(value, outer, dict).get(inner)


def _moment(value: Any, key: str) -> datetime:
    """Return an RFC 3339 time."""
    try:
        return datetime.fromisoformat(_checked(value, key, str))
    except ValueError:
        _reject(key)


def _checked(value: Any, key: str, kind: type[_T]) -> _T:
    return value if isinstance(value, kind) else _reject(key)


def _reject(key: str) -> NoReturn:
    raise UnexpectedAnswerError(
        f"The API's answer has no usable field {key}.",
        hint="The command and the API are of different releases; update the older one.",
    )
