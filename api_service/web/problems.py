"""Renders errors as problems (RFC 9457), with a stable code and the request's id."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import hdrs, web
from marshmallow import fields

from api_service.web.answers import AnswerSchema, choice, flag, number, text
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.errors.kinds import ERROR_KINDS

CONTENT_TYPE = "application/problem+json"
# The prefix of a problem's type, which is a name and not an address.
TYPE_PREFIX = "urn:longshore:error:"
CHALLENGE = 'Bearer realm="longshore"'

_HTTP_ERRORS: Mapping[int, tuple[Code, str]] = {
    HTTPStatus.NOT_FOUND: (Code.ROUTE_NOT_FOUND, "No route has this path."),
    HTTPStatus.METHOD_NOT_ALLOWED: (Code.METHOD_NOT_ALLOWED, "This path does not have the method."),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (Code.BODY_TOO_LARGE, "The body is too large."),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (Code.CONTENT_TYPE_UNSUPPORTED, "The Content-Type is not supported."),
}


class FailingFieldSchema(AnswerSchema):
    field = text("The field or parameter; empty for the whole body.", required=True)
    message = text("The reason.", required=True)


class ProblemSchema(AnswerSchema):
    type = text("The code as a URN.", required=True)
    title = text("The kind of error.", required=True)
    status = number("The HTTP status.", required=True, least=400)
    detail = text("The error in this case.", required=True)
    code = choice(sorted(ERROR_KINDS), "The stable code that programs match on.", required=True)
    side = choice(Side, "The side that has to act: source, target or Longshore.", required=True)
    retryable = flag("Whether the same request may succeed later.", required=True)
    hint = text("The recommended action.", required=True)
    requestId = text("The request's id in the logs.", required=True)
    errors = fields.List(fields.Nested(FailingFieldSchema), metadata={"description": "The invalid fields, if any."})


def problem(error: LongshoreError, request_id: str) -> dict[str, Any]:
    """Return the body. `side` is the side that has to act: source, target or longshore."""
    kind = error.kind
    body: dict[str, Any] = {
        "type": f"{TYPE_PREFIX}{kind.code}",
        "title": kind.title,
        "status": int(kind.status),
        "detail": error.detail,
        "code": kind.code,
        "side": kind.side.value,
        "retryable": kind.retryable,
        "hint": kind.hint,
        "requestId": request_id,
    }
    if error.fields:
        body["errors"] = [{"field": field, "message": message} for field, message in error.fields.items()]
    return body


def problem_response(error: LongshoreError, body: Mapping[str, Any]) -> web.Response:
    """Return the answer with the headers of its status."""
    response = web.Response(status=error.kind.status, body=orjson.dumps(body), content_type=CONTENT_TYPE)
    if error.kind.status is HTTPStatus.UNAUTHORIZED:
        response.headers[hdrs.WWW_AUTHENTICATE] = CHALLENGE
    if error.retry_after is not None:
        response.headers[hdrs.RETRY_AFTER] = str(math.ceil(error.retry_after))
    return response


def of_http_error(error: web.HTTPException) -> LongshoreError:
    """Translate aiohttp's own errors: no route, wrong method, and the like."""
    code, detail = _HTTP_ERRORS.get(error.status, (Code.BODY_MALFORMED, "The request cannot be read."))
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return internal_error()
    return LongshoreError(code, detail)


def internal_error() -> LongshoreError:
    """Return the error for an unexpected exception, without its cause."""
    return LongshoreError(Code.INTERNAL_ERROR, "An unexpected error occurred; it has been logged.")
