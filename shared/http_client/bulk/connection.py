"""One connection, used by one thread at a time: heads by h11, bodies straight between the socket and a buffer."""

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

# Bytes of an answer's head. Presigned storage addresses and upload states are long.
MAX_HEAD_SIZE = 64 * 1024
# Bytes asked for while a head is awaited; what comes with it belongs to the body.
HEAD_READ_SIZE = 64 * 1024
# Answers without a body, whatever length they state (RFC 9112, section 6.3).
BODILESS = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
# Seconds that a write waits for room before it looks whether the answer has come already.
ANSWER_CHECK_SECONDS = 1.0
# Seconds for reading what made the socket readable, which under TLS may be no part of an answer.
LOOK_SECONDS = 0.01
# Seconds for filling a buffer with what is at hand already: TLS hands out records of 16 KiB, too small to pass on.
FILL_SECONDS = 0.05


class NotHttpError(ValueError):
    """What came, or would have to be sent, is not HTTP/1.1."""


class EarlyAnswerError(Exception):
    """The server has answered before it has the whole body."""


@dataclass(frozen=True, slots=True)
class Head:
    """An answer's status line and fields, names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]


class BulkConnection:
    """One exchange at a time: `start`, `write` until the body is sent, `read_head`, `read_into` until it returns 0.

    Raises OSError (TimeoutError where nothing came for `timeout` seconds) and NotHttpError. All but `abort` belong to
    the thread that carries the exchange out.
    """

    def __init__(self, sock: socket.socket, *, timeout: float) -> None:
        self._socket = sock
        self._timeout = timeout
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)
        self._closing = False
        # Bytes of the answer's body that are still to come; None where only h11 can tell.
        self._left: int | None = None
        self._ended = True
        # Bytes of it that came with something else.
        self._early = memoryview(b"")

    def start(self, method: str, target: str, fields: Iterable[tuple[str, str]]) -> None:
        """Send a request's head."""
        # What h11 knows of the exchange before ends where its body went past it.
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_SIZE)
        self._left, self._ended, self._early = None, False, memoryview(b"")
        try:
            request = h11.Request(method=method, target=target, headers=list(fields))
        except h11.LocalProtocolError as error:
            raise NotHttpError(str(error)) from None
        self._send(request)

    def write(self, data: memoryview) -> None:
        """Send a part of the body; raises EarlyAnswerError where the server has answered instead of reading on."""
        # By h11's documentation the data may be anything with a length where it is passed through.
        self._send(h11.Data(data=cast("bytes", data)))

    def read_head(self) -> Head:
        """End the request and wait for the final answer's head."""
        if self._http.our_state is h11.SEND_BODY:
            self._send(h11.EndOfMessage())
        return self._read_head(self._timeout)

    def read_early_head(self, *, timeout: float | None = None) -> Head:
        """Wait for the head of an answer that came before the body's end; the connection serves no other exchange."""
        self._http.send_failed()
        return self._read_head(timeout or self._timeout)

    def read_into(self, buffer: memoryview) -> int:
        """Wait for bytes of the answer's body; 0 at its end, or where the server closed the connection before it."""
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
        """End whatever waits on this connection; may be called from any thread."""
        with suppress(OSError):
            # Not the TLS socket's own shutdown(): that would let a reading thread go on without TLS.
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
        """Whether an idle connection was closed by the server, or holds bytes that nobody asked for."""
        spare = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()
        return bool(spare) or _readable(self._socket)

    def _read_head(self, timeout: float) -> Head:
        deadline = time.monotonic() + timeout
        self._socket.settimeout(timeout)
        while True:
            event = self._next_event()
            if isinstance(event, h11.Response):
                return self._begin_body(event)
            if event is h11.NEED_DATA and not self._feed():
                raise ConnectionResetError(errno.ECONNRESET, "the connection was closed before the answer")
            if time.monotonic() > deadline:
                raise TimeoutError

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
        """Take what came with the head from h11, which sees nothing of the rest."""
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
        """Hand h11 what has arrived; False where the server has closed the connection."""
        with _lost_with_tls():
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
        with _lost_with_tls():
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
                with _lost_with_tls():
                    data = data[self._socket.send(data) :]
            except TimeoutError:
                self._look_for_answer()
        self._socket.settimeout(self._timeout)

    def _look_for_answer(self) -> None:
        """Raise EarlyAnswerError where one is coming; that the socket is readable is no proof of it under TLS."""
        if not _readable(self._socket):
            return
        self._socket.settimeout(LOOK_SECONDS)
        with suppress(TimeoutError):
            self._feed()
            raise EarlyAnswerError
        self._socket.settimeout(ANSWER_CHECK_SECONDS)


@contextmanager
def _lost_with_tls() -> Iterator[None]:
    """Once the certificate has been accepted, what TLS complains of is a lost connection, not a lack of trust."""
    try:
        yield
    except ssl.SSLError as error:
        raise ConnectionResetError(errno.ECONNRESET, "TLS has ended") from error


def _readable(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))
