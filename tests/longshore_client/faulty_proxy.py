"""A proxy between a client and the API, with the faults that a test sets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

STREAM = "text/event-stream"
# Headers of one connection, which a proxy does not forward.
_HOP_BY_HOP = {"Transfer-Encoding", "Content-Length", "Connection"}


@dataclass
class FaultyProxy:
    """Forwards requests, except for the faults.

    `streams`: forward event streams, request them as plain JSON, or send no event. `answer` replaces the answer to
    every request, `deletion` the answer to each DELETE. `seen` has the path and the Accept header of each request.
    """

    upstream: str
    streams: Literal["pass", "plain", "silent"] = "pass"
    answer: web.Response | None = None
    deletion: web.Response | None = None
    seen: list[tuple[str, str | None]] = field(default_factory=list)
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, request.headers.get("Accept")))
        if self.answer is not None:
            return self.answer
        if self.deletion is not None and request.method == "DELETE":
            return self.deletion
        wants_stream = request.headers.get("Accept") == STREAM
        if wants_stream and self.streams == "silent":
            return await self._send_nothing(request)
        dropped = {"Host", "Accept"} if wants_stream and self.streams == "plain" else {"Host"}
        headers = {name: value for name, value in request.headers.items() if name not in dropped}
        async with (
            ClientSession() as session,
            session.request(
                request.method, self.upstream + request.path_qs, headers=headers, data=await request.read()
            ) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name not in _HOP_BY_HOP}
            response = web.StreamResponse(status=answer.status, headers=kept)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    async def _send_nothing(self, request: web.Request) -> web.StreamResponse:
        """Hold back every event, as a proxy with a buffer does."""
        response = web.StreamResponse(headers={"Content-Type": STREAM})
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultyProxy"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        async with TestServer(app) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self
