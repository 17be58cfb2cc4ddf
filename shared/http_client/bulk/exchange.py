"""Bulk exchanges: each runs in a thread, over a new connection or one that is kept from an earlier exchange."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from shared.http_client.body import Body
from shared.http_client.bulk.connection import BulkConnection, EarlyAnswerError, Head, NotHttpError
from shared.http_client.bulk.dialer import Dialer
from shared.runtime.concurrency import run_in_thread

# Concurrent exchanges in one process; each occupies a thread. More than the import limits allow.
MAX_THREADS = 512
# Seconds that an idle connection is kept.
KEEP_ALIVE = 30.0
# Seconds to read the response of a server that has closed the connection: it has arrived already, or never will.
LATE_RESPONSE_SECONDS = 2.0
# Seconds for the response to a body that was ended early: the server has to store what it has received.
END_SECONDS = 3.0
# Bytes read at a time from a short response, such as an error.
PIECE = 64 * 1024

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkRequest:
    """A request. `fields` lacks Host and the body's length or encoding, which are taken from the URL and the body.

    `ended_early` is as in `shared.http_client.request.Request`.
    """

    method: str
    url: URL
    fields: Iterable[tuple[str, str]]
    body: Body | None = None
    ended_early: Callable[[Head], None] | None = None


class BulkResponse:
    """A response whose body has not been read yet, with the part of aiohttp's interface that Longshore uses."""

    def __init__(self, exchanges: "BulkExchanges", url: URL, head: Head, connection: BulkConnection) -> None:
        self.status = head.status
        self.url = url
        self.headers = CIMultiDictProxy(CIMultiDict(head.fields))
        self._exchanges = exchanges
        self._connection = connection

    @property
    def content_length(self) -> int | None:
        stated = self.headers.get("Content-Length")
        return int(stated) if stated else None

    @property
    def content(self) -> "BulkResponse":
        return self

    def read_into(self, buffer: memoryview) -> int:
        """Wait, in a thread, for bytes of the body; 0 at its end, or if the connection ended before it."""
        return self._connection.read_into(buffer)

    async def iter_any(self) -> AsyncIterator[bytes]:
        """Yield a short body, such as an error's, as it arrives."""
        buffer = memoryview(bytearray(PIECE))
        while count := await self._exchanges.in_thread(lambda: self.read_into(buffer), self.abort):
            yield bytes(buffer[:count])

    def abort(self) -> None:
        """End a read that waits in another thread."""
        self._connection.abort()

    def release(self) -> None:
        """Return the connection; one whose response is incomplete is closed."""
        self._exchanges.give_back(self.url, self._connection)


class BulkExchanges:
    """The bulk connections of one session."""

    def __init__(self, dialer: Dialer, *, timeout: float) -> None:
        """Keep connections with the dialer; `timeout` bounds the wait for a response's next byte, in seconds."""
        self._dialer = dialer
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="bulk")
        self._idle: defaultdict[URL, list[tuple[float, BulkConnection]]] = defaultdict(list)

    async def request(self, request: BulkRequest) -> BulkResponse:
        """Send a request with its body and wait for the response's head; raises OSError and NotHttpError."""
        kept = self._take(request.url)
        if kept:
            try:
                return await self._exchange(request, kept)
            except ConnectionError:
                if request.body:
                    raise  # A part of the body may have been consumed.
        return await self._exchange(request, await self._dial(request.url))

    async def in_thread(self, work: Callable[[], Result], abort: Callable[[], None]) -> Result:
        """Run work in a thread; on cancellation, abort the work and wait until it has ended."""
        return await run_in_thread(work, abort, self._threads)

    def give_back(self, url: URL, connection: BulkConnection) -> None:
        """Keep the connection for the next exchange with that server, or close it."""
        self._close_unused()
        if connection.reusable:
            self._idle[url.origin()].append((time.monotonic(), connection))
        else:
            connection.close()

    def close(self) -> None:
        """Close the idle connections; all exchanges must have ended."""
        for kept in self._idle.values():
            for _, connection in kept:
                connection.close()
        self._idle.clear()
        self._threads.shutdown(wait=False)

    def _close_unused(self) -> None:
        """Close every connection that has been idle too long, as its own server may never be called again."""
        oldest = time.monotonic() - KEEP_ALIVE
        for url, kept in list(self._idle.items()):
            while kept and kept[0][0] < oldest:
                kept.pop(0)[1].close()
            if not kept:
                del self._idle[url]

    async def _dial(self, url: URL) -> BulkConnection:
        return BulkConnection(await self._dialer.dial(url, self._threads), timeout=self._timeout)

    def _take(self, url: URL) -> BulkConnection | None:
        kept = self._idle[url.origin()]
        while kept:
            since, connection = kept.pop()
            if time.monotonic() - since < KEEP_ALIVE and not connection.stale:
                return connection
            connection.close()
        del self._idle[url.origin()]
        return None

    async def _exchange(self, request: BulkRequest, connection: BulkConnection) -> BulkResponse:
        with ExitStack() as stack:

            def abort() -> None:
                if request.body and request.body.abort() and request.ended_early:
                    timer = asyncio.get_running_loop().call_later(END_SECONDS, connection.abort)
                    stack.callback(timer.cancel)
                else:
                    connection.abort()

            try:
                head = await run_in_thread(lambda: _run_exchange(request, connection), abort, self._threads)
            except BaseException:
                connection.close()
                raise
        return BulkResponse(self, request.url, head, connection)


def _run_exchange(request: BulkRequest, connection: BulkConnection) -> Head:
    body = request.body
    host = [("Host", request.url.host_port_subcomponent or "")]
    try:
        connection.start(request.method, request.url.raw_path_qs, [*host, *request.fields, *_framing(request)])
        if body:
            _send_body(request, body, connection)
    except EarlyAnswerError:
        return _early_response(connection.read_early_head())
    except ConnectionError:
        # A server that stops reading may have sent the reason.
        with suppress(OSError, ValueError):
            return _early_response(connection.read_early_head(timeout=LATE_RESPONSE_SECONDS))
        raise
    return connection.read_head()


def _framing(request: BulkRequest) -> Sequence[tuple[str, str]]:
    if request.body is None:
        return ()
    if request.ended_early:
        return (("Transfer-Encoding", "chunked"),)
    return (("Content-Length", str(request.body.size)),)


def _send_body(request: BulkRequest, body: Body, connection: BulkConnection) -> None:
    """Send the body; if its source fails, end it early and raise that failure."""
    sent = 0

    def write(data: memoryview) -> None:
        nonlocal sent
        sent += len(data)
        if sent > body.size:
            raise NotHttpError("the body is longer than announced")
        connection.write(data)

    try:
        body.send_to(write)
    except (OSError, NotHttpError, EarlyAnswerError):
        raise
    except BaseException:
        if request.ended_early:
            with suppress(OSError, NotHttpError, EarlyAnswerError):
                request.ended_early(connection.end_early(timeout=END_SECONDS))
        raise
    if sent < body.size:
        raise NotHttpError("the body is shorter than announced")


def _early_response(head: Head) -> Head:
    """Return a response that came before the body's end; a success cannot be true while bytes are unsent."""
    if head.status < HTTPStatus.MULTIPLE_CHOICES:
        raise NotHttpError("it accepted a body before it was sent")
    return head
