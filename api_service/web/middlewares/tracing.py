"""A span for every request, in the trace that its client names, where steps are recorded."""

from http import HTTPStatus

from aiohttp import web

from api_service.web.keys import IMPORT_NAME, PROBLEM_CODE, REQUEST_ID
from api_service.web.route import NO_ROUTE, Handler, template
from shared.tracing.spans import TRACEPARENT, Kind, Values, entry

# Asked every few seconds by machines, about nothing that is under way.
_UNTRACED = frozenset({"/healthz", "/readyz", NO_ROUTE})


@web.middleware
async def tracing_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Record the request until its answer is made, an event stream's until it ends."""
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
