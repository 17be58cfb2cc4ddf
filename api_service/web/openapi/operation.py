"""What a route promises: the part of an OpenAPI operation that the table of routes does not say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

from shared.errors.codes import Code

JSON = "application/json"
EVENT_STREAM = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One good answer, in one of the forms `schemas` as JSON, or in one of the media types `texts`; else empty.

    `links` are operations that go on from it: by id, the parameter, and the field of the body that it is given.
    """

    description: str
    schemas: tuple[type[Schema], ...] = ()
    texts: tuple[str, ...] = ()
    status: HTTPStatus = HTTPStatus.OK
    examples: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A route, described. `codes` are the errors of its own, beside those that its kind of route always has.

    `problem` is the schema of its errors where it is another than everywhere. `request_headers` are optional ones,
    with what they are for.
    """

    id: str
    tag: str
    summary: str
    description: str = ""
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    body_required: bool = True
    body_examples: Mapping[str, Any] = field(default_factory=dict)
    answers: tuple[Answer, ...]
    codes: frozenset[Code] = frozenset()
    problem: type[Schema] | None = None
    request_headers: Mapping[str, str] = field(default_factory=dict)


def codes(*names: Code) -> frozenset[Code]:
    """Return the names as a set, for the tables to read well."""
    return frozenset(names)
