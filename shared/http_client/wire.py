"""One request on the wire, redirects included; no credentials but those handed in, no retries."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeAlias, cast

import aiohttp
from yarl import URL

from shared.http_client.body import Body
from shared.http_client.bulk.exchange import BulkRequest, BulkResponse
from shared.http_client.failures import Failure
from shared.http_client.locations import origin, redirect_target
from shared.http_client.network_errors import CAUGHT, translated
from shared.http_client.request import Before, Reply, Request, authority
from shared.http_client.session import SMALL_EXCHANGE_TIMEOUT, Outgoing, default_headers
from shared.network.guard import calling
from shared.tracing.spans import Kind, Values, step

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Redirects of one request; registries use one, to their storage.
MAX_REDIRECTS = 5
# Bytes of a body beyond which aiohttp sends it in one piece only under protest: the event loop would wait for it.
LARGE_BODY = 1024 * 1024
# Seconds for reading an answer's body as a whole: a server that drips must not hold an import.
READING_TIMEOUT = SMALL_EXCHANGE_TIMEOUT
# Bytes of an error answer or of a redirect's body.
MAX_COMPLAINT_SIZE = 64 * 1024
Response: TypeAlias = aiohttp.ClientResponse | BulkResponse

_REDIRECTED_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Wire:
    """Sends requests through the guarded session."""

    outgoing: Outgoing

    @asynccontextmanager
    async def open(self, request: Request, authorization: str | None = None) -> AsyncIterator[Response]:
        """Send the request and follow redirects; the answer's status may be any other.

        Credentials go to the request's own server, and never again once a redirect has left it.
        """
        url = request.url
        for _ in range(MAX_REDIRECTS + 1):
            if origin(url) != origin(request.url):
                authorization = None
            async with self._exchange(request, url, authorization) as response:
                if response.status not in REDIRECTS or request.method not in _REDIRECTED_METHODS:
                    yield response
                    return
                await read_complaint_reply(request, response)
                url = redirect_target(request, url, response.headers.get("Location"), self.outgoing.policy)
        raise request.failed(Failure.PROTOCOL, f"redirects more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _exchange(self, request: Request, url: URL, authorization: str | None) -> AsyncIterator[Response]:
        with step(f"{request.method} {request.subject.name.lower()}", _told(request, url), kind=Kind.CLIENT) as span:
            response = await self._send(request, url, authorization)
            span.note({"http.response.status_code": response.status})
            try:
                yield response
            finally:
                # The client closes a connection with half an answer or half a body in it, and keeps any other.
                response.release()

    async def _send(self, request: Request, url: URL, authorization: str | None) -> Response:
        headers = {**request.headers, "Authorization": authorization} if authorization else request.headers
        send = self._send_bulk if request.bulk else self._send_small
        with calling(url.raw_host or "") as call:
            try:
                return await send(request, url, headers)
            except CAUGHT as error:
                raise translated(request, authority(url), error, call) from None

    async def _send_small(self, request: Request, url: URL, headers: Mapping[str, str]) -> Response:
        return await self.outgoing.http.request(
            request.method,
            url,
            headers=headers,
            data=_sendable(request),
            allow_redirects=False,
            timeout=request.timeout,
            middlewares=_asking(request.before) if request.before else None,
            ssl=self.outgoing.tls.context(url.raw_host or "", url.port or 0),
        )

    async def _send_bulk(self, request: Request, url: URL, headers: Mapping[str, str]) -> Response:
        fields = (default_headers() | dict(headers)).items()
        body = cast("Body | None", request.body)
        return await self.outgoing.bulk.request(BulkRequest(method=request.method, url=url, fields=fields, body=body))


def _asking(before: Before) -> Sequence[aiohttp.ClientMiddlewareType]:
    """Return what lets the client ask before it sends: it repeats a PUT whose connection was closed by itself."""

    async def ask_first(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        await before()
        return await send(request)

    return (ask_first,)


def _told(request: Request, url: URL) -> Values:
    """Return what a trace says of a request; an address beyond its host may hold a signature."""
    return {"http.request.method": request.method, "server.address": authority(url), "longshore.step": request.step}


def _sendable(request: Request) -> Any:
    """Return the body as the client takes it: a large one, such as a manifest at its limit, piece by piece."""
    body = request.body
    return BytesIO(body) if isinstance(body, bytes) and len(body) > LARGE_BODY else body


async def read_reply(request: Request, response: Response) -> Reply:
    """Read an answer whose body fits in memory; a success beyond the request's limit is an error."""
    content = await _read_bounded(request, response, request.limit)
    if content is None:
        raise request.failed(Failure.PROTOCOL, f"sent more than {request.limit} bytes", host=authority(response.url))
    return Reply(response.status, response.headers, content)


async def read_complaint_reply(request: Request, response: Response) -> Reply:
    """Read an answer whose body is only words; one beyond the limit is left out."""
    content = await _read_bounded(request, response, MAX_COMPLAINT_SIZE)
    return Reply(response.status, response.headers, content or b"")


async def _read_bounded(request: Request, response: Response, limit: int) -> bytes | None:
    """Return the body, or None where it is longer than the limit."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READING_TIMEOUT):
            async for part in response.content.iter_any():
                size += len(part)
                if size > limit:
                    return None
                parts.append(part)
    except CAUGHT as error:
        raise translated(request, authority(response.url), error) from None
    return b"".join(parts)
