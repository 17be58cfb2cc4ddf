"""Sends one request and follows its redirects; the caller provides credentials and retries."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from types import TracebackType
from typing import Any, TypeAlias, cast

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from shared.http_client.body import Body
from shared.http_client.bulk.connection import Head
from shared.http_client.bulk.exchange import BulkRequest, BulkResponse
from shared.http_client.failures import Failure
from shared.http_client.locations import origin, redirect_target
from shared.http_client.network_errors import CLIENT_ERRORS, translate_error
from shared.http_client.request import BeforeSend, EndedEarly, Reply, Request, authority
from shared.http_client.session import SMALL_EXCHANGE_TIMEOUT, Outgoing, default_headers
from shared.network.guard import Calling
from shared.tracing.spans import Kind, Values, step

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Redirects of one request; registries use one, to their storage service.
MAX_REDIRECTS = 5
# Bytes of a body above which aiohttp warns if it gets it in one piece: sending that would block the event loop.
LARGE_BODY = 1024 * 1024
# Seconds for reading a whole response body: bounds a server that sends one byte at a time.
READING_TIMEOUT = SMALL_EXCHANGE_TIMEOUT
# Bytes of the body of an error response or of a redirect.
MAX_ERROR_BODY_SIZE = 64 * 1024
Response: TypeAlias = aiohttp.ClientResponse | BulkResponse

_REDIRECTED_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Wire:
    """Sends requests through the guarded session."""

    outgoing: Outgoing

    def open(self, request: Request, authorization: str | None = None) -> "Exchange":
        """Send the request and follow redirects; the response may have any other status.

        Credentials are sent to the request's own server only, and no longer once a redirect has left it.
        """
        return Exchange(self.outgoing, request, authorization)


class Exchange:
    """A request and its response, which is open inside of the block; a class, because each import needs several."""

    __slots__ = ("_authorization", "_hop", "_outgoing", "_request")

    def __init__(self, outgoing: Outgoing, request: Request, authorization: str | None) -> None:
        self._outgoing = outgoing
        self._request = request
        self._authorization = authorization

    async def __aenter__(self) -> Response:
        request, url = self._request, self._request.url
        for _ in range(MAX_REDIRECTS + 1):
            if url is not request.url and origin(url) != origin(request.url):
                self._authorization = None
            self._hop = _Hop(self._outgoing, request, url)
            response = await self._hop.begin(self._authorization)
            if response.status not in REDIRECTS or request.method not in _REDIRECTED_METHODS:
                return response
            with self._hop:
                await read_error_reply(request, response)
                url = redirect_target(request, url, response.headers, self._outgoing.policy)
        raise request.failed(Failure.PROTOCOL, f"redirects more than {MAX_REDIRECTS} times")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hop.__exit__(kind, error, trace)


class _Hop:
    """One request to one address, with its step for tracing; it ends with the block."""

    __slots__ = ("_outgoing", "_request", "_response", "_step", "_url")

    def __init__(self, outgoing: Outgoing, request: Request, url: URL) -> None:
        self._outgoing = outgoing
        self._request = request
        self._url = url

    async def begin(self, authorization: str | None) -> Response:
        """Send the request and return its response; call it before the block."""
        request = self._request
        self._step = step(f"{request.method} {request.resource}", _span_values(request, self._url), kind=Kind.CLIENT)
        span = self._step.__enter__()
        try:
            self._response = await self._send(authorization)
        except BaseException as error:
            self._step.__exit__(type(error), error, error.__traceback__)
            raise
        span.note({"http.response.status_code": self._response.status})
        return self._response

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The client closes a connection whose response or body is incomplete, and keeps any other.
        self._response.release()
        self._step.__exit__(kind, error, trace)

    async def _send(self, authorization: str | None) -> Response:
        request, url = self._request, self._url
        headers = {**request.headers, "Authorization": authorization} if authorization else request.headers
        send = self._send_bulk if request.bulk else self._send_small
        with Calling(url.raw_host or "") as call:
            try:
                return await send(headers)
            except CLIENT_ERRORS as error:
                raise translate_error(request, authority(url), error, call) from None

    async def _send_small(self, headers: Mapping[str, str]) -> Response:
        request, url = self._request, self._url
        return await self._outgoing.http.request(
            request.method,
            url,
            headers=headers,
            data=_sendable(request),
            allow_redirects=False,
            timeout=request.timeout,
            middlewares=_with_hook(request.before) if request.before else None,
            ssl=self._outgoing.tls.context(url.raw_host or "", url.port or 0),
        )

    async def _send_bulk(self, headers: Mapping[str, str]) -> Response:
        request = self._request
        fields = (default_headers() | dict(headers)).items()
        body = cast("Body | None", request.body)
        bulk = BulkRequest(
            method=request.method,
            url=self._url,
            fields=fields,
            body=body,
            ended_early=_with_reply(request.ended_early) if request.ended_early else None,
        )
        return await self._outgoing.bulk.request(bulk)


def _with_reply(ended_early: EndedEarly) -> Callable[[Head], None]:
    return lambda head: ended_early(Reply(head.status, CIMultiDictProxy(CIMultiDict(head.fields)), b""))


def _with_hook(before: BeforeSend) -> Sequence[aiohttp.ClientMiddlewareType]:
    """Return a middleware that awaits the hook before each send; aiohttp itself repeats a PUT on a lost connection."""

    async def run_hook(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        await before()
        return await send(request)

    return (run_hook,)


def _span_values(request: Request, url: URL) -> Values:
    """Return a span's attributes. The path and query are left out, because they may hold a signature."""
    return {"http.request.method": request.method, "server.address": authority(url), "longshore.step": request.step}


def _sendable(request: Request) -> Any:
    """Return the body for aiohttp; a large one, such as a manifest at its size limit, as a file to read in pieces."""
    body = request.body
    return BytesIO(body) if isinstance(body, bytes) and len(body) > LARGE_BODY else body


async def read_reply(request: Request, response: Response) -> Reply:
    """Read a response whose body fits in memory; raises if a success exceeds the request's limit."""
    content = await _read_bounded(request, response, request.limit)
    if content is None:
        raise request.failed(Failure.PROTOCOL, f"sent more than {request.limit} bytes", host=authority(response.url))
    return Reply(response.status, response.headers, content)


async def read_error_reply(request: Request, response: Response) -> Reply:
    """Read an error response; a body above the limit is replaced by an empty one."""
    content = await _read_bounded(request, response, MAX_ERROR_BODY_SIZE)
    return Reply(response.status, response.headers, content or b"")


async def _read_bounded(request: Request, response: Response, limit: int) -> bytes | None:
    """Return the body, or None if it is longer than the limit."""
    if isinstance(response, aiohttp.ClientResponse) and response.content.at_eof():
        # Such as the answer to a HEAD: each import waits for two of them.
        return b""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READING_TIMEOUT):
            async for part in response.content.iter_any():
                size += len(part)
                if size > limit:
                    return None
                parts.append(part)
    except CLIENT_ERRORS as error:
        raise translate_error(request, authority(response.url), error) from None
    return b"".join(parts)
