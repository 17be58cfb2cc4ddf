"""Health, for machines: alive, and ready."""

from http import HTTPStatus

from aiohttp import web

from api_service.web.keys import READINESS
from api_service.web.responses import json_answer


async def alive_handler(_request: web.Request) -> web.Response:
    """GET /healthz: the process answers; a restart would help nothing that this does not show."""
    return json_answer({"status": "ok"})


async def ready_handler(request: web.Request) -> web.Response:
    """GET /readyz: 200 where requests may be sent here, else 503; parts that do not work are named in both."""
    ready, body = await request.app[READINESS].report()
    return json_answer(body, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)
