"""Handlers about the service and the target: health, the caller, the queue, statistics."""

from http import HTTPStatus

from aiohttp import web

from api_service.status.answers import identity_json, operations_json, statistics_json
from api_service.status.keys import QUEUE_STATUS, STATISTICS
from api_service.web.answers import json_answer
from api_service.web.keys import IDENTITY, READINESS


async def alive_handler(_request: web.Request) -> web.Response:
    """GET /healthz: 200 while the process answers; a restart helps against no other failure."""
    return json_answer({"status": "ok"})


async def ready_handler(request: web.Request) -> web.Response:
    """GET /readyz: 200 if the instance takes requests, else 503; both name the parts that do not work."""
    ready, body = await request.app[READINESS].report()
    return json_answer(body, status=HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)


async def whoami_handler(request: web.Request) -> web.Response:
    """GET /whoami: the user and the role, so that a client can choose which actions it offers."""
    return json_answer(identity_json(request[IDENTITY]))


async def operations_handler(request: web.Request) -> web.Response:
    """GET /operations."""
    return json_answer(operations_json(await request.app[QUEUE_STATUS].read()))


async def stats_handler(request: web.Request) -> web.Response:
    """GET /harbor/stats."""
    return json_answer(statistics_json(await request.app[STATISTICS].read()))
