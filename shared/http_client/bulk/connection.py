"""One connection, used by one thread at a time: h11 parses heads, bodies move directly between socket and buffer."""

import errno
import select
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast

import h11

# Bytes of a response's head. Presigned storage addresses and upload states are long.
MAX_HEAD_SIZE = 64 * 1024
# Bytes requested while waiting for a head; bytes after the head belong to the body.
HEAD_READ_SIZE = 64 * 1024
# Responses without a body, regardless of a stated length (RFC 9112, section 6.3).
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
# Seconds that a write waits for buffer space before it checks whether the response has arrived early.
ANSWER_CHECK_SECONDS = 1.0
# Seconds for reading a readable socket, which under TLS may hold no part of a response.
LOOK_SECONDS = 0.01
# Seconds for filling a buffer with bytes that have arrived: TLS returns records of 16 KiB, too small to pass on.
FILL_SECONDS = 0.05


class NotHttpError(ValueError):
    """Received or outgoing bytes are not HTTP/1.1."""


class EarlyAnswerError(Exception):
    """The server has responded before it has received the whole body."""


@dataclass(frozen=True, slots=True)
class Head:
    """A response's status and header fields, names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]


class BulkConnection:
    """One exchange at a time: `start`, `write` until the body is sent, `read_head`, `read_into` until it returns 0.

    Raises OSError (TimeoutError if no byte arrived for `timeout` seconds) and NotHttpError. All methods except `abort`
    belong to the thread that runs the exchange.
    """

    def __init__(self, sock: socket.socket, *, timeout: float) -> None:
        self._socket = sock
        self._timeout = timeout
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)
        self._closing = False
        # Bytes of the response body that have not arrived yet; None if only h11 knows.
        self._left: int | None = None
        self._ended = True
        # Bytes of the body that arrived together with the head.
        self._early = memoryview(b"")

    def start(self, method: str, target: str, fields: Iterable[tuple[str, str]]) -> None:
        """Send a request's head."""
        # h11's state of the previous exchange is stale, because the body bypassed it.
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)
        self._left, self._ended, self._early = None, False, memoryview(b"")
        try:
            request = h11.Request(method=method, target=target, headers=list(fields))
        except h11.LocalProtocolError as error:
            raise NotHttpError(str(error)) from None
        self._send(request)

    def write(self, data: memoryview) -> None:
        """Send a part of the body; raises EarlyAnswerError if the server has responded instead of reading on."""
        # By h11's documentation, data that is passed through may be any object with a length.
        self._send(h11.Data(data=cast("bytes", data)))

    def read_head(self) -> Head:
        """End the request and wait for the head of the final response."""
        if self._http.our_state is h11.SEND_BODY:
            self._send(h11.EndOfMessage())
        return self._read_head(self._timeout)

    def read_early_head(self, *, timeout: float | None = None) -> Head:
        """Wait for the head of a response before the body's end; the connection cannot be reused afterwards."""
        self._http.send_failed()
        return self._read_head(timeout or self._timeout)

    def end_early(self, *, timeout: float) -> Head:
        """End a body without a length before its planned end, and wait for the head of the response."""
        self._send(h11.EndOfMessage())
        return self._read_head(timeout)

    def read_into(self, buffer: memoryview) -> int:
        """Wait for bytes of the response body; 0 at its end, or if the server closed the connection before it."""
        if self._early:
            return self._serve_early(buffer)
        if self._ended:
            return 0
        if self._left is None:
            return self._read_by_h11(buffer)
        count = self._receive(buffer[: self._left])
        self._left -= count
        self._ended = not count or not self._left
        return count

    def abort(self) -> None:
        """End a call that waits on this connection; may be called from any thread."""
        with suppress(OSError):
            # Not the TLS socket's own shutdown(): after that, a reading thread would continue without TLS.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another exchange."""
        complete = self._http.their_state is h11.DONE or self._left == 0
        spare, _ = self._http.trailing_data
        return complete and self._http.our_state is h11.DONE and not (self._closing or self._early or spare)

    @property
    def stale(self) -> bool:
        """Whether an idle connection was closed by the server, or holds unrequested bytes."""
        spare = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        return bool(spare) or _readable(self._socket)

    def _read_head(self, timeout: float) -> Head:
        deadline = time.monotonic() + timeout
        self._socket.settimeout(timeout)
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                self._socket.settimeout(self._timeout)
                return self._begin_body(event)
            if event is h11.NEED_DATA and not self._feed():
                raise ConnectionResetError(errno.ECONNRESET, "the connection was closed before the answer")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            # In all: a byte must not start the wait for the rest of the head anew.
            self._socket.settimeout(left)

    def _begin_body(self, answer: h11.Response) -> Head:
        # As the other client reads them: an address may hold a file's name.
        fields = tuple((name.decode(), value.decode(errors="surrogateescape")) for name, value in answer.headers)
        named = dict(fields)
        self._closing = "close" in named.get("connection", "").lower() or answer.http_version < b"1.1"
        counted = answer.status_code not in BODILESS and "transfer-encoding" not in named
        if counted and "content-length" in named:
            self._early = memoryview(bytearray().join(self._rest_of_head()))
            self._left = int(named["content-length"]) - len(self._early)
            self._ended = self._left <= 0
        return Head(answer.status_code, fields)

    def _rest_of_head(self) -> Iterable[bytes]:
        """Return the bytes that arrived with the head from h11, which does not see the rest of the body."""
        while isinstance(event := self._next_event(), h11.Data):
            yield event.data

    def _serve_early(self, buffer: memoryview) -> int:
        count = min(len(buffer), len(self._early))
        buffer[:count] = self._early[:count]
        self._early = self._early[count:]
        return count

    def _read_by_h11(self, buffer: memoryview) -> int:
        while True:
            event = self._next_event()
            if isinstance(event, h11.Data):
                self._early = memoryview(bytes(event.data))
                return self._serve_early(buffer)
            if event is not h11.NEED_DATA or not self._feed():
                self._ended = True
                return 0

    def _feed(self) -> bool:
        """Pass received bytes to h11; return False if the server has closed the connection."""
        with _tls_errors_as_lost():
            data = self._socket.recv(HEAD_READ_SIZE)
        if data:
            self._http.receive_data(data)
        return bool(data)

    def _next_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            raise NotHttpError(str(error)) from None

    def _receive(self, buffer: memoryview) -> int:
        if not isinstance(self._socket, ssl.SSLSocket):
            return self._socket.recv_into(buffer)
        with _tls_errors_as_lost():
            return self._receive_records(self._socket, buffer)

    def _receive_records(self, sock: ssl.SSLSocket, buffer: memoryview) -> int:
        count = sock.recv_into(buffer)
        until = time.monotonic() + FILL_SECONDS
        while 0 < count < len(buffer) and (sock.pending() or _readable(sock)):
            more = sock.recv_into(buffer[count:])
            count += more
            if not more or time.monotonic() > until:
                break
        return count

    def _send(self, event: h11.Event) -> None:
        try:
            parts = self._http.send_with_data_passthrough(event)
        except h11.LocalProtocolError as error:
            raise NotHttpError(str(error)) from None
        for part in parts or ():
            self._send_all(memoryview(part))

    def _send_all(self, data: memoryview) -> None:
        self._socket.settimeout(ANSWER_CHECK_SECONDS)
        while data:
            try:
                with _tls_errors_as_lost():
                    data = data[self._socket.send(data) :]
            except TimeoutError:
                self._check_for_answer()
        self._socket.settimeout(self._timeout)

    def _check_for_answer(self) -> None:
        """Raise EarlyAnswerError if a response is arriving; under TLS, a readable socket alone does not prove it."""
        if not _readable(self._socket):
            return
        self._socket.settimeout(LOOK_SECONDS)
        with suppress(TimeoutError):
            self._feed()
            raise EarlyAnswerError
        self._socket.settimeout(ANSWER_CHECK_SECONDS)


@contextmanager
def _tls_errors_as_lost() -> Iterator[None]:
    """Raise a TLS error as a lost connection: the certificate was accepted, so it does not mean a lack of trust."""
    try:
        yield
    except ssl.SSLError as error:
        raise ConnectionResetError(errno.ECONNRESET, "TLS has ended") from error


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
