"""Reading the API's JSON: what is needed is there and of its kind; what is not known is left alone."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from longshore_client.errors import UnexpectedAnswerError

Json = Mapping[str, Any]
_T = TypeVar("_T")


def need(document: Json, name: str, kind: type[_T]) -> _T:
    """Return a field that must be there; raises UnexpectedAnswerError."""
    value = document.get(name)
    if not isinstance(value, kind):
        raise UnexpectedAnswerError(
            f"The API's answer has no usable field {name}.",
            hint="The command and the API are of different releases; update the older one.",
        )
    return value


def maybe(document: Json, name: str, kind: type[_T]) -> _T | None:
    """Return a field that may be null or missing."""
    return None if document.get(name) is None else need(document, name, kind)


def objects(document: Json, name: str) -> list[Json]:
    """Return a list of objects."""
    entries = need(document, name, list)
    if not all(isinstance(entry, dict) for entry in entries):
        raise UnexpectedAnswerError(f"The API's answer has something else than objects in {name}.")
    return entries


def texts(document: Json, name: str) -> tuple[str, ...]:
    """Return a list of strings, empty where it is missing."""
    return tuple(str(entry) for entry in maybe(document, name, list) or ())


def moment(document: Json, name: str) -> datetime | None:
    """Return an RFC 3339 time that may be null or missing."""
    text = maybe(document, name, str)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UnexpectedAnswerError(f"The API's answer has no time in {name}.") from None
