"""Limits the time that a request waits for the database."""

from aiohttp import web

from api_service.web.route import Handler
from shared.db.deadline import deadline

# The API answers within five seconds, however slow the database is; the rest is for everything else. Seconds.
REQUEST_DEADLINE = 4.5


@web.middleware
async def deadline_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Set the request's deadline; an event stream sets another one for each read."""
    with deadline(REQUEST_DEADLINE):
        return await handler(request)
