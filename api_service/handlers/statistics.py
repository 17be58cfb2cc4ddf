"""Figures about the target."""

from aiohttp import web

from api_service.answers import json_answer
from api_service.keys import STATISTICS


async def stats_handler(request: web.Request) -> web.Response:
    """GET /harbor/stats."""
    return json_answer(await request.app[STATISTICS].read())
