"""Bounds what a request waits for the database."""

from aiohttp import web

from api_service.web.route import Handler
from shared.db.deadline import deadline

# A request answers within five seconds whatever the database does; the rest is for all else that it does. Seconds.
REQUEST_DEADLINE = 4.5


@web.middleware
async def deadline_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its deadline; an event stream has another for each look."""
    with deadline(REQUEST_DEADLINE):
        return await handler(request)
