"""How the service itself gets on."""

from aiohttp import web

from api_service.status.keys import RELAY
from api_service.status.queue_status import read_operations
from api_service.web.keys import DATABASE
from api_service.web.responses import json_answer


async def operations_handler(request: web.Request) -> web.Response:
    """GET /operations."""
    return json_answer(await read_operations(request.app[DATABASE], request.app[RELAY].queue))
