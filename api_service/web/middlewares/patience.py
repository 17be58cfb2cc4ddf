"""Bounds what a request waits for the database."""

from aiohttp import web

from api_service.web.route import Handler
from shared.db.deadline import patience

# A request answers within five seconds whatever the database does; the rest is for all else that it does. Seconds.
REQUEST_PATIENCE = 4.5


@web.middleware
async def patience_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its patience; an event stream has another for each look."""
    with patience(REQUEST_PATIENCE):
        return await handler(request)
