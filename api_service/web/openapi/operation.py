"""The description of a route: the part of an OpenAPI operation that the route itself does not define."""

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
    """One successful answer: JSON in one of the forms `schemas`, or text of one of the media types `texts`, or empty.

    `links` are operations that use its values: by operation id, the parameter and the field of the body.
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
    """The description of one route. `codes` are its own errors, in addition to those that every such route has.

    `problem` is the schema of its errors, if it has one of its own. `request_headers` are optional headers with their
    descriptions.
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
