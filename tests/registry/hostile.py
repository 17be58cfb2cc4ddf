"""A registry that answers what a test tells it to, faults of the wire included, and remembers what it was asked."""

import asyncio
import json
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET

LOOPBACK = "127.0.0.1"
# What an endless body sends at a time.
ENDLESS_CHUNK = bytes(64 * 1024)
# Seconds between the bytes of a body that drips.
DRIP_INTERVAL = 0.05


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it arrived. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""
    connection: int = 0

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent back.

    `length` is what Content-Length says where that is not true; None leaves the header out. `early` answers before
    the request's body is read. After `body`: `endless` goes on for ever, `drips` does so byte by byte, `hang` sends
    nothing more and leaves the connection open, `close` ends it, `reset` breaks it. `wait` is slept before, in seconds.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = -1
    early: bool = False
    endless: bool = False
    drips: bool = False
    hang: bool = False
    close: bool = False
    reset: bool = False
    wait: float = 0.0
    raw: bytes | None = None

    def head(self, method: str) -> bytes:
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in self.headers.items())]
        length = len(self.body) if self.length == -1 else self.length
        if length is not None and "Content-Length" not in self.headers:
            lines.append(f"Content-Length: {length}")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        return head if method == "HEAD" else head + self.body


Scripted = Answer | Callable[[Asked], Answer]

NOT_SCRIPTED = Answer(status=404, body=b'{"errors": [{"code": "NOT_SCRIPTED", "message": "no answer was scripted"}]}')


def error(status: int, code: str, message: str = "", **more: str) -> Answer:
    """Make an error answer in the distribution specification's form; `more` are headers."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in more.items()}}
    return Answer(status=status, headers=headers, body=body)


class HostileRegistry:
    """A server on a loopback port. For each method and path, answers in order; the last one is repeated."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._scripts: dict[tuple[str, str], list[Scripted]] = {}
        self._handlers: set[asyncio.Task[None]] = set()

    @property
    def host(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @property
    def open_connections(self) -> int:
        return len(self._handlers)

    def on(self, method: str, path: str, *answers: Scripted) -> None:
        """Script the answers for a path (without its query)."""
        self._scripts[method, path] = list(answers)

    def requests(self, method: str, path: str = "") -> list[Asked]:
        """Return what was asked, by method and path's beginning."""
        return [asked for asked in self.asked if asked.method == method and asked.path.startswith(path)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["HostileRegistry"]:
        server = await asyncio.start_server(self._connected, LOOPBACK, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for handler in self._handlers:
                handler.cancel()
            await asyncio.gather(*self._handlers, return_exceptions=True)
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handler = asyncio.current_task()
        assert handler
        self._handlers.add(handler)
        try:
            # A client that goes away in the middle is part of many tests.
            with suppress(
                ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
            ):
                await self._serve(reader, writer, self.connections)
        finally:
            self._handlers.discard(handler)
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while head := await _read_head(reader):
            asked = _parse(head, connection)
            answer = self._answer(asked)
            if not answer.early:
                asked = _parse(head, connection, await _read_body(reader, asked))
            self.asked.append(asked)
            await asyncio.sleep(answer.wait)
            if not await _send(writer, asked, answer):
                return

    def _answer(self, asked: Asked) -> Answer:
        script = self._scripts.get((asked.method, asked.path), [NOT_SCRIPTED])
        scripted = script.pop(0) if len(script) > 1 else script[0]
        return scripted if isinstance(scripted, Answer) else scripted(asked)


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


async def _read_body(reader: asyncio.StreamReader, asked: Asked) -> bytes:
    if asked.headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(asked.headers.get("content-length", "0")))
    body = b""
    while length := int(await reader.readline(), 16):
        body += await reader.readexactly(length)
        await reader.readline()
    await reader.readline()
    return body


def _parse(head: bytes, connection: int, body: bytes = b"") -> Asked:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Asked(method=method, target=target, headers=headers, body=body, connection=connection)


async def _send(writer: asyncio.StreamWriter, asked: Asked, answer: Answer) -> bool:
    """Send an answer; False where the connection has done its service."""
    writer.write(answer.head(asked.method))
    await writer.drain()
    while answer.endless or answer.drips:
        writer.write(ENDLESS_CHUNK if answer.endless else b"x")
        await writer.drain()
        await asyncio.sleep(DRIP_INTERVAL if answer.drips else 0)
    if answer.hang:
        await asyncio.Event().wait()
    if answer.reset:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return not (answer.close or answer.reset or answer.early)
