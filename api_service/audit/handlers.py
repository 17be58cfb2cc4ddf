"""The handler about the audit log."""

from aiohttp import web

from api_service.audit.answers import page_json
from api_service.audit.keys import AUDIT_READER
from api_service.audit.read_events import AuditQuery
from api_service.audit.requests import AuditQuerySchema
from api_service.web.answers import json_answer
from api_service.web.requests import read_query

# Created once: creating a schema costs more than reading a query with it.
_QUERY = AuditQuerySchema()


async def list_handler(request: web.Request) -> web.Response:
    """GET /audit."""
    query: AuditQuery = read_query(request.rel_url.raw_query_string, _QUERY)
    return json_answer(page_json(await request.app[AUDIT_READER].read(query)))
