"""Renders every exception as a problem (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import hdrs, web

from api_service.web.keys import PROBLEM_CODE, REQUEST_ID, ROUTES
from api_service.web.problems import internal_error, of_http_error, problem, problem_response
from api_service.web.route import Handler
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.runtime.condition import describe

_logger = structlog.get_logger(__name__)


@web.middleware
async def errors_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with a problem if the handler raises; an unexpected exception is logged, and its answer has no detail."""
    try:
        return await handler(request)
    except LongshoreError as error:
        _log(error)
        return _answer(request, error)
    except web.HTTPException as error:
        return _answer_http(request, error)
    except Exception as error:
        if isinstance(error, ConnectionError) and _is_gone(request):
            # The client left while its body was read or its answer written; aiohttp's server handles that.
            raise
        _logger.exception("request.failed")
        return _answer(request, internal_error())


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _answer(request: web.Request, error: LongshoreError) -> web.Response:
    request[PROBLEM_CODE] = error.code
    body: dict[str, Any] = problem(error, request[REQUEST_ID])
    route = request.app[ROUTES].get(request.match_info.handler)
    if route and route.problem_fields:
        body |= route.problem_fields(error.detail)
    return problem_response(error, body)


def _answer_http(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    allowed = error.headers.get(hdrs.ALLOW)
    if request.method == hdrs.METH_OPTIONS and allowed:
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={hdrs.ALLOW: allowed})
    answer = _answer(request, of_http_error(error))
    if allowed:
        answer.headers[hdrs.ALLOW] = allowed
    return answer


def _log(error: LongshoreError) -> None:
    """Log the cause of Longshore's own failures; for mistakes of callers and sources, the access log has the code."""
    if error.kind.side is Side.LONGSHORE and error.kind.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _logger.warning("request.refused", reason=describe(error))
