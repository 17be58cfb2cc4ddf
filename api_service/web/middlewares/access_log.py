"""One line in the log for every request, and its place in the figures.

Neither query nor body is in it: both can hold secrets.
"""

import time

import structlog
from aiohttp import web

from api_service.metrics import events
from api_service.web.keys import IDENTITY, IMPORT_NAME, PROBLEM_CODE
from api_service.web.route import NO_ROUTE, Handler, template

# Asked every few seconds by machines; logged only where the answer is bad news.
_PROBES = frozenset({"/healthz", "/readyz"})

_logger = structlog.get_logger("api_service.access")


@web.middleware
async def access_log_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log and count after the answer, an event stream's too."""
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
    """Count the route's template, and no method but those of routes: whatever strangers send has one name here."""
    method = NO_ROUTE if route == NO_ROUTE else request.method
    events.request_answered(method, route, status, seconds)


def _log(request: web.Request, route: str, status: int, seconds: float) -> None:
    """Log the route's template, not the path: what strangers write into a path has no place in a log."""
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
