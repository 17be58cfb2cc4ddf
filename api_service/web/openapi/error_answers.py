"""The error answers of an operation: the codes that are possible with each status."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from marshmallow import Schema

from api_service.web.problems import CONTENT_TYPE, ProblemSchema
from api_service.web.route import Route
from shared.errors.codes import Code
from shared.errors.kinds import ERROR_KINDS

# Any route may fail unexpectedly.
_ALWAYS = frozenset({Code.INTERNAL_ERROR})
_WITH_TOKEN = frozenset(
    {
        Code.UNAUTHENTICATED,
        Code.TOKEN_EXPIRED,
        Code.FORBIDDEN,
        Code.OIDC_UNAVAILABLE,
        Code.DATABASE_UNAVAILABLE,
        Code.INTERNAL_ERROR,
    }
)
_WITH_QUERY = frozenset({Code.VALIDATION_FAILED})
_WITH_BODY = frozenset(
    {Code.VALIDATION_FAILED, Code.BODY_MALFORMED, Code.BODY_TOO_LARGE, Code.CONTENT_TYPE_UNSUPPORTED}
)
_RETRY_AFTER = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)
# Refusals by another status that may end by themselves: a limit of bytes in a month renews.
_RENEWING = frozenset({Code.LIMIT_REACHED})


def possible_codes(route: Route) -> frozenset[Code]:
    """Return every code that the operation can answer with."""
    operation = route.operation
    return (
        operation.codes
        | (_ALWAYS if route.roles is None else _WITH_TOKEN)
        | (_WITH_QUERY if operation.query else frozenset())
        | (_WITH_BODY if operation.body else frozenset())
    )


def error_answers(codes: Iterable[Code], schema: type[Schema] = ProblemSchema) -> dict[str, Any]:
    """Return the OpenAPI responses by status; each has the problem's form, narrowed to the codes of its status."""
    by_status: dict[HTTPStatus, list[Code]] = defaultdict(list)
    for code in sorted(codes):
        by_status[ERROR_KINDS[code].status].append(code)
    return {str(int(status)): _answer(status, names, schema) for status, names in sorted(by_status.items())}


def _answer(status: HTTPStatus, names: list[Code], schema: type[Schema]) -> dict[str, Any]:
    narrowed = {"type": "object", "properties": {"code": {"enum": names}, "status": {"const": int(status)}}}
    return {
        "description": " ".join(f"`{name}`: {ERROR_KINDS[name].title}." for name in names),
        "headers": _headers(status, names),
        "content": {CONTENT_TYPE: {"schema": {"allOf": [schema, narrowed]}}},
    }


def _headers(status: HTTPStatus, codes: Iterable[Code]) -> Mapping[str, Any]:
    headers: dict[str, Any] = {"X-Request-ID": "RequestId"}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"required": True, "schema": {"type": "string"}}
    if status in _RETRY_AFTER or not _RENEWING.isdisjoint(codes):
        headers["Retry-After"] = {
            "description": "Seconds, if known.",
            "schema": {"type": "integer", "minimum": 0},
        }
    return headers
