"""Checks answers against the OpenAPI document, more strictly than the document requires."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api_service.api_page.handlers import FILES
from api_service.routes import ALL_ROUTES
from api_service.web.openapi.document import describe

# Fields that an answer may omit; every other described field is present.
NOT_ALWAYS = {("Problem", "errors"), ("Refusal", "errors"), ("Part", "detail")}
_DOCUMENT = "urn:longshore:description"


@cache
def document() -> Mapping[str, Any]:
    """Return the OpenAPI document as it is served."""
    return describe(ALL_ROUTES, "0", page_files=FILES)


@cache
def _strict() -> Registry[Any]:
    """Return the document with closed answers: all described fields are required, and no others are allowed."""
    components = {name: _closed(name, schema) for name, schema in document()["components"]["schemas"].items()}
    strict = {**document(), "components": {**document()["components"], "schemas": components}}
    resource: Resource[Any] = Resource.from_contents(strict, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)
    return registry


def _closed(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    always = [field for field in properties if (name, field) not in NOT_ALWAYS]
    return {**schema, "additionalProperties": False, "required": always}


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield method, path and operation."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


@cache
def _expressions() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    return tuple(
        (method, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for method, path, _ in operations()
    )


def find_operation(method: str, path: str) -> tuple[str, str] | None:
    """Return the document's method and path for a request; None for undescribed routes, such as a 404."""
    described = "GET" if method == "HEAD" else method
    plain = path.partition("?")[0]
    for known, expression, template in _expressions():
        if known == described and expression.fullmatch(plain):
            return known, template
    return None


@cache
def _validator(*pointer: str) -> Draft202012Validator:
    escaped = "/".join(part.replace("~", "~0").replace("/", "~1") for part in pointer)
    return Draft202012Validator(
        {"$ref": f"{_DOCUMENT}#/{escaped}"},
        registry=_strict(),
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def validate_component(name: str, value: object) -> None:
    """Raise unless the value strictly conforms to this schema."""
    _validator("components", "schemas", name).validate(value)


def check_answer(method: str, path: str, *, status: int, headers: Mapping[str, str], body: Any) -> None:
    """Raise AssertionError or ValidationError for an answer that does not conform to the document."""
    assert headers.get("X-Request-ID")
    found = find_operation(method, path)
    if found is None:
        assert status in (204, 404, 405), (method, path, status)
        return
    responses = document()["paths"][found[1]][found[0].lower()]["responses"]
    assert str(status) in responses, f"{method} {path} answers {status} {body}, which is not described"
    content = responses[str(status)].get("content", {})
    media_type = headers.get("Content-Type", "").partition(";")[0]
    if not content:
        assert body == "", (method, path, body)
    elif method != "HEAD":
        assert media_type in content, f"{method} {path} answers {status} as {media_type}, which is not described"
        if "json" in media_type:
            pointer = ("paths", found[1], found[0].lower(), "responses", str(status), "content", media_type, "schema")
            _validator(*pointer).validate(body)
