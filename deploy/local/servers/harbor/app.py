"""The stand-in as an aiohttp application."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Middleware

from deploy.local.servers.harbor.api.lookup import BASE
from deploy.local.servers.harbor.api.router import Api
from deploy.local.servers.harbor.caller import identify
from deploy.local.servers.harbor.errors import HarborError
from deploy.local.servers.harbor.proxy import Proxy
from deploy.local.servers.harbor.settings import Settings
from deploy.local.servers.harbor.state import State
from deploy.local.servers.harbor.tokens import SERVICE, Tokens
from deploy.local.servers.harbor.v2 import V2

# Bytes of a request that is read as a whole; manifests and blobs are streamed.
MAX_DOCUMENT = 1024 * 1024
# The public project that every Harbor has.
FIRST_PROJECT = "library"


def create_app(
    settings: Settings, upstream: str, *, state: State | None = None, middlewares: Iterable[Middleware] = ()
) -> web.Application:
    """Create the application. `middlewares` get every request first and every answer last."""
    held = State() if state is None else state
    if FIRST_PROJECT not in held.projects:
        held.create_project(FIRST_PROJECT, public=True)
    app = web.Application(middlewares=[*middlewares, _errors], client_max_size=MAX_DOCUMENT)
    proxy = Proxy(upstream)
    tokens = Tokens(held)
    api, v2 = Api(settings, held, proxy), V2(settings, held, tokens, proxy)

    async def running(_: web.Application) -> AsyncIterator[None]:
        async with proxy.running():
            yield

    async def token(request: web.Request) -> web.Response:
        if request.query.get("service") != SERVICE:
            return web.Response(status=400, text=f"Unable to handle service: {request.query.get('service')}")
        caller = identify(settings, request.headers.get("Authorization", ""))
        scopes = [scope for value in request.query.getall("scope", []) for scope in value.split(" ") if scope]
        return web.json_response(tokens.create(caller, scopes))

    app.cleanup_ctx.append(running)
    app.router.add_get("/service/token", token)
    app.router.add_route("*", f"{BASE}/{{rest:.*}}", api.handle)
    app.router.add_route("*", "/v2/{rest:.*}", v2.handle)
    return app


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Render errors as Harbor does, and add a request id to every answer of the API."""
    try:
        answer = await handler(request)
    except HarborError as error:
        answer = error.answer()
    if request.path.startswith(BASE):
        answer.headers["X-Request-Id"] = request.headers.get("X-Request-Id") or str(uuid.uuid4())
    return answer
