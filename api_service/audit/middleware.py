"""Records each request of a person that writes, whatever its outcome."""

import re
from time import monotonic

from aiohttp import hdrs, web

from api_service.audit.address import client_address
from api_service.audit.keys import AUDIT_WRITER, PROXIES
from api_service.audit.note import AuditNote, taking_note
from api_service.web.keys import IDENTITY, PROBLEM_CODE, REQUEST_ID, ROUTES
from api_service.web.route import WORKERS, Handler, Route
from shared.db.access.audit import AuditEvent

_ID = re.compile(r"[0-9]{1,19}")
_WRITING = frozenset({hdrs.METH_POST, hdrs.METH_PATCH, hdrs.METH_PUT, hdrs.METH_DELETE})
# The API answers within five seconds, with the event stored; a request that took longer than that by itself, such as a
# dry run, waits a moment longer. Seconds.
ANSWER_WITHIN = 4.8
MIN_WAIT = 0.3


@web.middleware
async def audit_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Store the event before the answer is sent. It stands outside of authentication, which may refuse the request."""
    route = request.app[ROUTES].get(request.match_info.handler)
    if route is None or not is_audited(route):
        return await handler(request)
    started = monotonic()
    response: web.StreamResponse | None = None
    with taking_note() as note:
        try:
            response = await handler(request)
        finally:
            within = max(MIN_WAIT, ANSWER_WITHIN - (monotonic() - started))
            await request.app[AUDIT_WRITER].write(_event(request, route, note, response), within=within)
    return response


def is_audited(route: Route) -> bool:
    """Return whether requests to this route are recorded: those that write, but for workers' reports."""
    return route.method in _WRITING and route.roles != WORKERS


def _event(request: web.Request, route: Route, note: AuditNote, response: web.StreamResponse | None) -> AuditEvent:
    identity = request.get(IDENTITY)
    return AuditEvent(
        user_name=identity.user if identity else None,
        issuer=identity.owner.issuer if identity else None,
        subject=identity.owner.subject if identity else None,
        role=identity.role.value if identity else None,
        token_id=identity.token_id if identity else None,
        address=client_address(request.remote, request.headers.getall(hdrs.X_FORWARDED_FOR, ()), request.app[PROXIES]),
        operation=f"{route.operation.id}:{note.variant}" if note.variant else route.operation.id,
        object=note.object or _object(request, response),
        rule_id=note.rule_id,
        status=response.status if response else 0,
        code=request.get(PROBLEM_CODE),
        request_id=request[REQUEST_ID],
    )


def _object(request: web.Request, response: web.StreamResponse | None) -> str:
    """Return the id in the path, or that of what has been created; other texts in a path may be secrets."""
    found = request.match_info.get("id", "")
    if _ID.fullmatch(found):
        return found
    return response.headers.get(hdrs.LOCATION, "").rpartition("/")[2] if response else ""
