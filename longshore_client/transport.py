"""HTTP with aiohttp. Its exceptions become ClientErrors here."""

import asyncio
import json
import os
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from longshore_client.access import Access
from longshore_client.answers import Json, json_object
from longshore_client.errors import (
    GATEWAY_STATUSES,
    ApiError,
    ApiUnreachableError,
    EventStreamUnusableError,
    Problem,
    UnexpectedAnswerError,
)
from longshore_client.event_stream import Event, EventReader

# Time to connect. Seconds.
CONNECT_SECONDS = 10.0
# Time for an answer: a deletion sends several requests to the target, and waits for an import that is writing its tag.
# Seconds.
ANSWER_SECONDS = 120.0
# Silence on a stream after which it is dead: the API sends a comment every ten seconds, and three are missing. Seconds.
SILENCE_SECONDS = 35.0
# Time for the first event, which the API sends at once. After it, a proxy is taken to hold back events. Seconds.
FIRST_EVENT_SECONDS = 10.0
# Connections at once, for any number of calls.
MAX_CONNECTIONS = 16

_EVENT_STREAM = "text/event-stream"
_PROBLEM = "application/problem+json"
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer; `body` is parsed JSON, or None for an empty body."""

    status: int
    headers: Mapping[str, str]
    body: Any

    def json_object(self) -> Json:
        """Return the body, which must be an object; raises UnexpectedAnswerError."""
        return json_object(self.body)


class Transport:
    """Sends requests to one API, in a session that `open_transport` closes."""

    def __init__(self, access: Access, session: aiohttp.ClientSession, *, agent: str) -> None:
        self._url = access.url
        self._session = session
        self._headers = {"Authorization": f"Bearer {access.token}", "User-Agent": agent}
        self._proxy = _proxy_of(access.url)

    async def call(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None
    ) -> Answer:
        """Send a request and return the answer; raises ClientErrors, also for an answer that is not successful."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._request(method, path, timeout=timeout, params=query, json=body) as response:
            raise_for_answer(response, await response.read())
            return Answer(status=response.status, headers=response.headers, body=_json(await response.read()))

    async def readiness(self) -> Any:
        """Return the body of /readyz: a 503 reports the parts, as a 200 does."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS, sock_connect=CONNECT_SECONDS)
        async with self._request("GET", "/readyz", timeout=timeout) as response:
            content = await response.read()
            if response.status != HTTPStatus.SERVICE_UNAVAILABLE or not _is_json(response):
                raise_for_answer(response, content)
            return _json(content)

    async def events(self, path: str, *, last_id: str) -> AsyncGenerator[Event, None]:
        """Yield events until the server ends the stream; raises EventStreamUnusableError if none arrive."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        headers = {"Accept": _EVENT_STREAM, **({"Last-Event-ID": last_id} if last_id else {})}
        async with self._request("GET", path, timeout=timeout, headers=headers) as response:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise_for_answer(response, await response.read())
            if response.content_type != _EVENT_STREAM:
                raise EventStreamUnusableError("No events of the API's event stream arrive.")
            async with aclosing(_events(response)) as events:
                async for event in events:
                    yield event

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request. Every network error within the block is raised as ApiUnreachableError."""
        given = {**self._headers, **(headers or {})}
        options = {"allow_redirects": False, "proxy": self._proxy, **options}
        try:
            async with self._session.request(method, self._url + path, headers=given, **options) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error, self._url) from None


@asynccontextmanager
async def open_transport(access: Access, *, agent: str) -> AsyncIterator[Transport]:
    """Open a session without cookies, netrc and redirects: the token is sent to the named address alone."""
    connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Transport(access, session, agent=agent)


def raise_for_answer(response: aiohttp.ClientResponse, content: bytes) -> None:
    """Raise the error for an answer that is not successful."""
    status = response.status
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if response.content_type == _PROBLEM:
        body = _json(content)
        raise ApiError(Problem.of(body if isinstance(body, dict) else {}, status, _retry_after(response)))
    if status in GATEWAY_STATUSES:
        raise ApiUnreachableError(
            f"A proxy answers for the API with {status}.", hint="The API behind it is away; try again in a moment."
        )
    where = response.headers.get("Location")
    raise UnexpectedAnswerError(
        f"The address redirects to {where}."
        if where
        else f"The server that answers with {status} is not a Longshore API.",
        hint="Check the address: `longshore login URL` stores another one.",
    )


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[Event, None]:
    reader, chunks = EventReader(), response.content.iter_any()
    seen = False
    while True:
        try:
            async with asyncio.timeout(None if seen else FIRST_EVENT_SECONDS):
                chunk = await anext(chunks, b"")
        except TimeoutError:
            if seen:
                raise
            raise EventStreamUnusableError("No events of the API's event stream arrive.") from None
        if not chunk:
            return
        for event in _feed(reader, chunk):
            seen = True
            yield event


def _feed(reader: EventReader, chunk: bytes) -> list[Event]:
    try:
        return reader.feed(chunk)
    except ValueError as error:
        raise UnexpectedAnswerError(f"The API's event stream cannot be read: {error}.") from None


def _retry_after(response: aiohttp.ClientResponse) -> int | None:
    """Return the seconds of the header; the API sends no date."""
    value = response.headers.get("Retry-After", "")
    return int(value) if _SECONDS.fullmatch(value) else None


def _is_json(response: aiohttp.ClientResponse) -> bool:
    return response.content_type == "application/json"


def _json(content: bytes) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        raise UnexpectedAnswerError(
            "The server that answers is not a Longshore API.", hint="Check the address: `longshore login URL`."
        ) from None


def _proxy_of(url: str) -> str | None:
    """Return the proxy that the environment has for this address (HTTPS_PROXY, NO_PROXY and so on)."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def _unreachable(error: Exception, url: str) -> ApiUnreachableError:
    certificate = getattr(error, "certificate_error", None)
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(certificate, ssl.SSLError):
        reason = (
            getattr(certificate, "verify_message", "")
            or "the server does not speak TLS, or no version that this client accepts"
        )
        return ApiUnreachableError(
            f"No trusted TLS connection to {url}: {reason}.",
            hint="SSL_CERT_FILE may name a file with the certificate of your authority.",
            transient=False,
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return ApiUnreachableError(
            f"The host name in {url} does not resolve.",
            hint="Check the address, and that you are on the right network.",
        )
    if isinstance(error, TimeoutError):
        return ApiUnreachableError(
            f"{url} does not answer in time.", hint="Check the address, and that no firewall blocks the connection."
        )
    number = getattr(error, "errno", None)
    reason = os.strerror(number) if isinstance(number, int) and number > 0 else "the connection broke"
    return ApiUnreachableError(
        f"{url} cannot be reached: {reason}.", hint="Check the address, and that the API is running."
    )
