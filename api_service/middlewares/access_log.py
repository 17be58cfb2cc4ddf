"""One line in the log for every request. Neither query nor body is in it: both can hold secrets."""

import time

import structlog
from aiohttp import web

from api_service.keys import IDENTITY, PROBLEM_CODE
from api_service.route import Handler

# Asked every few seconds by machines; logged only where the answer is bad news.
_PROBES = frozenset({"/healthz", "/readyz"})

_logger = structlog.get_logger("api_service.access")


@web.middleware
async def access_log_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log after the answer, an event stream's too."""
    started = time.perf_counter()
    status = 0
    try:
        response = await handler(request)
        status = response.status
    finally:
        _log(request, status, time.perf_counter() - started)
    return response


def _log(request: web.Request, status: int, seconds: float) -> None:
    """Log the route's template, not the path: what strangers write into a path has no place in a log."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource else "(none)"
    write = _logger.debug if route in _PROBES and status < 400 else _logger.info  # noqa: PLR2004 - a class of statuses
    identity = request.get(IDENTITY)
    write(
        "request",
        method=request.method,
        route=route,
        status=status,
        ms=round(seconds * 1000, 1),
        user=identity.user if identity else None,
        code=request.get(PROBLEM_CODE),
        remote=request.remote,
    )
