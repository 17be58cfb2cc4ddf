"""Gives every request an id for its answer, its errors and its log lines."""

import os
import re

import structlog
from aiohttp import web

from api_service.web.keys import REQUEST_ID
from api_service.web.route import Handler
from shared.runtime.logs import REQUEST_ID_HEADER

# As random as a UUID, and created in a fifth of the time.
ID_BYTES = 16
# The form of a caller's own id: no character that could break a log line or a header.
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@web.middleware
async def request_id_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Use the caller's id if it has an allowed form, else create one."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = given if _SANE.fullmatch(given) else os.urandom(ID_BYTES).hex()
    request[REQUEST_ID] = request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        return await handler(request)
