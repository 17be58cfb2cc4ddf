"""Reads Harbor's JSON: a field that is read must exist and have the right type; all other fields are ignored."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from shared.http_client.boundary import reads_answer
from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.request import Reply, Request

T = TypeVar("T")

Document = Mapping[str, Any]


@reads_answer
def read_one(request: Request, reply: Reply, parse: Callable[[Document], T]) -> T:
    """Parse a response that is one object."""
    return _parsed(request, lambda: parse(_object(json.loads(reply.content))))


@reads_answer
def read_list(request: Request, reply: Reply, parse: Callable[[Document], T]) -> list[T]:
    """Parse a response that is a list of objects; Go writes an empty list as null."""
    return _parsed(request, lambda: [parse(_object(item)) for item in _list(json.loads(reply.content))])


def text(document: Document, name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is not a text")
    return value


def optional_text(document: Document, name: str) -> str | None:
    value = document.get(name)
    return value if isinstance(value, str) and value else None


def count(document: Document, name: str) -> int:
    """Return a number of things or bytes; 0 where the field is missing, because Go omits zeros."""
    value = document.get(name, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{name} is not a number of things")
    return value


def objects(document: Document, name: str) -> list[Document]:
    """Return a list of objects; empty where it is missing or null."""
    return [_object(item) for item in _list(document.get(name))]


def _parsed(request: Request, read: Callable[[], T]) -> T:
    try:
        return read()
    except (ValueError, RecursionError) as error:
        raise request.failed(Failure.PROTOCOL, "does not answer as Harbor does", clean(str(error))) from None


def _object(value: object) -> Document:
    if not isinstance(value, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - whatever is wrong with a document is a ValueError
    return value


def _list(value: object) -> list[object]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("it is not a list")  # noqa: TRY004 - as above
    return value
