"""Figures about the target."""

from aiohttp import web

from api_service.status.keys import STATISTICS
from api_service.web.responses import json_answer


async def stats_handler(request: web.Request) -> web.Response:
    """GET /harbor/stats."""
    return json_answer(await request.app[STATISTICS].read())
