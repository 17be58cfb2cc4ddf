"""The application: its middlewares, routes and parts."""

from collections.abc import Sequence
from functools import cache

import orjson
from aiohttp import hdrs, web

from api_service.api_page.handlers import FILES
from api_service.audit.middleware import audit_middleware
from api_service.images.keys import FEED
from api_service.parts import PARTS, SETTINGS, Part
from api_service.routes import ALL_ROUTES, add_routes
from api_service.settings import Settings
from api_service.web.draining import Draining
from api_service.web.keys import DESCRIPTION, DRAINING, REQUEST_ID
from api_service.web.middlewares.access_log import access_log_middleware
from api_service.web.middlewares.auth import auth_middleware
from api_service.web.middlewares.deadline import deadline_middleware
from api_service.web.middlewares.errors import errors_middleware
from api_service.web.middlewares.request_id import request_id_middleware
from api_service.web.middlewares.tracing import tracing_middleware
from api_service.web.openapi.document import describe
from api_service.web.requests import MAX_REPORT_BODY
from shared.model.version import product_version
from shared.runtime.logs import REQUEST_ID_HEADER


def create_app(settings: Settings, parts: Sequence[Part] = PARTS) -> web.Application:
    """Create the application; its parts start in this order and end in the reverse order."""
    app = web.Application(
        middlewares=(
            request_id_middleware,
            *((tracing_middleware,) if settings.shared.tracing else ()),
            access_log_middleware,
            audit_middleware,
            errors_middleware,
            deadline_middleware,
            auth_middleware,
        ),
        client_max_size=MAX_REPORT_BODY,
    )
    app[SETTINGS] = settings
    app[DRAINING] = Draining()
    app.cleanup_ctx.extend(parts)
    app.on_response_prepare.append(_finish_headers)
    app.on_shutdown.append(_end_streams)
    add_routes(app)
    app[DESCRIPTION] = _description()
    return app


@cache
def _description() -> bytes:
    """Return the OpenAPI document, which is the same for every application of this process."""
    return orjson.dumps(describe(ALL_ROUTES, product_version(), page_files=FILES))


async def _finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that all answers have: the request's id, no caching by default, and no server version."""
    response.headers[REQUEST_ID_HEADER] = request[REQUEST_ID]
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.popall(hdrs.SERVER, None)
    if request.app[DRAINING].began:
        response.headers[hdrs.CONNECTION] = "close"
        response.force_close()


async def _end_streams(app: web.Application) -> None:
    """End event streams, before the server waits for its requests to end."""
    app[FEED].end_streams()
