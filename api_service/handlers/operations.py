"""How the service itself gets on."""

from aiohttp import web

from api_service.answers import json_answer
from api_service.keys import DATABASE, RELAY
from api_service.operations import read_operations


async def operations_handler(request: web.Request) -> web.Response:
    """GET /operations."""
    return json_answer(await read_operations(request.app[DATABASE], request.app[RELAY].queue))
