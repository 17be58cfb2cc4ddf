"""Forwards requests to docker-registry, and streams the bodies in both directions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

# Headers of the connection, not of the message (RFC 9110, section 7.6.1). The stand-in itself answers Expect and checks
# Authorization. It forwards Host, so that the Locations that docker-registry writes point to the stand-in.
OF_THE_CONNECTION = ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
NOT_PASSED_ON = frozenset({*OF_THE_CONNECTION, "authorization", "expect"})
# Headers that aiohttp writes.
WRITTEN_HERE = frozenset({"server", "date"})
# Bytes of a body in transit at a time.
READ_AHEAD = 256 * 1024


class Proxy:
    """docker-registry behind one client session."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._http: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=timeout,
            auto_decompress=False,
            read_bufsize=READ_AHEAD,
            skip_auto_headers=("User-Agent", "Accept-Encoding", "Accept"),
        ) as self._http:
            yield

    async def alive(self) -> bool:
        """Return whether docker-registry answers."""
        try:
            async with self._session.get(f"{self._upstream}/v2/", timeout=aiohttp.ClientTimeout(total=5)) as response:
                return response.status == HTTPStatus.OK
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def pass_on(self, request: web.Request, path: str | None = None) -> web.StreamResponse:
        """Forward a request, and stream its answer back; `path` replaces the request's own."""
        try:
            async with self._send(request, path or request.raw_path, _body(request)) as response:
                return await _relayed(request, response)
        except aiohttp.ClientConnectionError:
            return web.Response(status=HTTPStatus.BAD_GATEWAY)

    async def ask(self, request: web.Request, body: bytes | None = None) -> web.Response:
        """Forward a request and return the complete answer, for actions that must happen before it is sent."""
        try:
            async with self._send(request, request.raw_path, BytesIO(body) if body else _body(request)) as response:
                headers = _kept(response.headers, WRITTEN_HERE)
                return web.Response(status=response.status, headers=headers, body=await response.read())
        except aiohttp.ClientConnectionError:
            return web.Response(status=HTTPStatus.BAD_GATEWAY)

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("the proxy is not running")
        return self._http

    @asynccontextmanager
    async def _send(
        self, request: web.Request, path: str, body: aiohttp.StreamReader | BytesIO | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self._session.request(
            request.method,
            URL(f"{self._upstream}{path}", encoded=True),
            headers=_kept(request.headers, frozenset()),
            data=body,
            allow_redirects=False,
        ) as response:
            yield response


def _body(request: web.Request) -> aiohttp.StreamReader | None:
    return request.content if request.body_exists else None


async def _relayed(request: web.Request, response: aiohttp.ClientResponse) -> web.StreamResponse:
    answer = web.StreamResponse(status=response.status, headers=_kept(response.headers, WRITTEN_HERE))
    await answer.prepare(request)
    async for chunk in response.content.iter_any():
        await answer.write(chunk)
    await answer.write_eof()
    return answer


def _kept(headers: Mapping[str, str], left_out: frozenset[str]) -> CIMultiDict[str]:
    dropped = NOT_PASSED_ON | left_out
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)
