"""A proxy of the target, a stand-in for Harbor or a plain registry, which injects faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from deploy.local.servers.harbor.app import create_app
from deploy.local.servers.harbor.proxy import Proxy
from deploy.local.servers.harbor.settings import Settings, User
from shared.target.settings import TargetKind
from tests.shared.harbor.conftest import ADMIN, LOOPBACK

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Fault(StrEnum):
    """The fault at a request."""

    CRASH = "crash"
    """The client is killed."""
    ONCE = "once"
    """The answer is 503 once."""
    DOWN = "down"
    """The answer is 503 for this and all later requests."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """The fault occurs at the `at`-th request for manifests; `done`: after the target has carried it out."""

    at: int
    fault: Fault
    done: bool


class Pause:
    """The `at`-th request for manifests waits before the target gets it."""

    def __init__(self, at: int) -> None:
        self._left = at
        self.reached = asyncio.Event()
        self.ended = asyncio.Event()

    async def wait(self) -> None:
        """Count a request, and hold it if it is the `at`-th."""
        self._left -= 1
        if self._left == -1:
            self.reached.set()
            await self.ended.wait()


class Front:
    """Counts the requests for manifests while a fault is set."""

    def __init__(self) -> None:
        self.host = ""
        self._trouble: Trouble | None = None
        self._seen = 0
        self._victim: Callable[[], object] = lambda: None
        self._pause: Pause | None = None

    def expect(self, trouble: Trouble | None, victim: Callable[[], object]) -> None:
        """Set a fault, or remove it with None; `victim` kills the client that is to crash."""
        self._trouble, self._victim, self._seen = trouble, victim, -1

    @contextmanager
    def pausing(self, at: int) -> Iterator[Pause]:
        """Hold the `at`-th request of the block, at most until its end."""
        self._pause = pause = Pause(at)
        try:
            yield pause
        finally:
            self._pause = None
            pause.ended.set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        trouble = self._trouble
        if "/artifacts/" not in request.path and "/manifests/" not in request.path:
            return await handler(request)
        if self._pause:
            await self._pause.wait()
        if trouble is None:
            return await handler(request)
        self._seen += 1
        if self._seen != trouble.at and (trouble.fault is not Fault.DOWN or self._seen < trouble.at):
            return await handler(request)
        if trouble.done and self._seen == trouble.at:
            await handler(request)
        if trouble.fault is Fault.CRASH:
            self._victim()
            await asyncio.sleep(0)
        return web.Response(status=503)


@asynccontextmanager
async def open_front(kind: TargetKind, upstream: str) -> AsyncIterator[Front]:
    """Serve a target of this kind in front of a docker-registry."""
    front = Front()
    if kind is TargetKind.HARBOR:
        admin = User(name=ADMIN.username, password=ADMIN.password, admin=True)
        app = create_app(Settings(users=(admin,)), upstream, middlewares=[front.middleware])
    else:
        app = _plain(upstream, front)
    async with serving(app) as front.host:
        yield front


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Serve an application on a free port."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    try:
        yield f"{LOOPBACK}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _plain(upstream: str, front: Front) -> web.Application:
    proxy = Proxy(upstream)

    async def running(_: web.Application) -> AsyncIterator[None]:
        async with proxy.running():
            yield

    async def pass_on(request: web.Request) -> web.StreamResponse:
        return await proxy.pass_on(request)

    app = web.Application(middlewares=[front.middleware], client_max_size=0)
    app.cleanup_ctx.append(running)
    app.router.add_route("*", "/{rest:.*}", pass_on)
    return app
