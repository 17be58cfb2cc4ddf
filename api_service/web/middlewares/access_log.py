"""Logs and counts every request.

The line has neither query nor body: both can hold secrets.
"""

import time

import structlog
from aiohttp import web

from api_service.metrics import events
from api_service.web.keys import IDENTITY, IMPORT_NAME, PROBLEM_CODE
from api_service.web.route import NO_ROUTE, Handler, template

# Probes call these every few seconds; only failures are logged.
_PROBES = frozenset({"/healthz", "/readyz"})

_logger = structlog.get_logger("api_service.access")


@web.middleware
async def access_log_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log and count the request after its answer; an event stream when it ends."""
    started = time.perf_counter()
    status, streamed = 0, False
    try:
        response = await handler(request)
        status, streamed = response.status, not isinstance(response, web.Response)
    finally:
        seconds = time.perf_counter() - started
        route = template(request)
        _log(request, route, status, seconds)
        _count(request, route, status, None if streamed else seconds)
    return response


def _count(request: web.Request, route: str, status: int, seconds: float | None) -> None:
    """Count by the route's template; unknown routes share one label, so that clients cannot create labels."""
    method = NO_ROUTE if route == NO_ROUTE else request.method
    events.request_answered(method, route, status, seconds)


def _log(request: web.Request, route: str, status: int, seconds: float) -> None:
    """Log the route's template instead of the path, which could hold any text."""
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
        import_name=request.get(IMPORT_NAME),
        remote=request.remote,
    )
