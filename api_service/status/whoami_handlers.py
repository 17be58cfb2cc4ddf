"""Whom a token stands for."""

from aiohttp import web

from api_service.web.keys import IDENTITY
from api_service.web.responses import json_answer


async def whoami_handler(request: web.Request) -> web.Response:
    """GET /whoami: what a client can tell its person, or choose what to offer by."""
    identity = request[IDENTITY]
    return json_answer({"userName": identity.user, "role": identity.role.value})
