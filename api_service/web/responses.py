"""JSON answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web


def json_answer(body: Mapping[str, Any], *, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    """Return the body as application/json."""
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
