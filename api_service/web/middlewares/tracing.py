"""Records a span for every request, in the client's trace if the request names one."""

from http import HTTPStatus

from aiohttp import web

from api_service.web.keys import IMPORT_NAME, PROBLEM_CODE, REQUEST_ID
from api_service.web.route import NO_ROUTE, Handler, template
from shared.tracing.spans import TRACEPARENT, Kind, Values, entry

# Probes call these every few seconds; their spans would show no work.
_UNTRACED = frozenset({"/healthz", "/readyz", NO_ROUTE})


@web.middleware
async def tracing_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the request until its answer is complete; an event stream until it ends."""
    route = template(request)
    if route in _UNTRACED:
        return await handler(request)
    values: Values = {
        "http.request.method": request.method,
        "http.route": route,
        "longshore.request_id": request[REQUEST_ID],
    }
    with entry(f"{request.method} {route}", Kind.SERVER, request.headers.get(TRACEPARENT), values) as span:
        response = await handler(request)
        span.note({"http.response.status_code": response.status})
        if name := request.get(IMPORT_NAME):
            span.note({"longshore.import": name})
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.fail(request.get(PROBLEM_CODE, str(response.status)))
        return response
