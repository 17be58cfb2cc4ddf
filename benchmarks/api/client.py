"""A cheap client, so that the server dominates the measurement: HTTP/1.1, keep-alive, one request at a time."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)
# Seconds for a response. The API answers within five.
DEADLINE = 60.0


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A server, with the token for it, if any."""

    url: str
    token: str = ""

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Return the bytes of a complete request."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(self.url).netloc}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join(lines).encode() + END_OF_HEAD + body


class Connection(asyncio.Protocol):
    """One connection; `ask` must return before the next call."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(END_OF_HEAD)
        length = _LENGTH.search(head)
        if not found or not length or len(body) < int(length[1]) or self._answer is None:
            return
        if head[_STATUS] == b"200":
            self._answer.set_result(body)
        else:
            self._answer.set_exception(RuntimeError(self._received.decode(errors="replace")))
        self._received = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server has closed the connection"))

    async def ask(self, request: bytes) -> bytes:
        """Send a request and return the body of its response, whose status must be 200."""
        assert self.transport
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer


@asynccontextmanager
async def connected(endpoint: Endpoint, count: int = 1) -> AsyncIterator[list[Connection]]:
    """Open connections and keep them open while the block runs."""
    place = urlsplit(endpoint.url)
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Connection, str(place.hostname), place.port or 80) for _ in range(count)]
    try:
        yield [connection for _, connection in made]
    finally:
        for transport, _ in made:
            transport.close()


async def latencies(connection: Connection, request: bytes, count: int) -> list[float]:
    """Send requests one after another; return the seconds of each."""
    seconds = []
    async with asyncio.timeout(DEADLINE):
        for _ in range(count):
            started = time.perf_counter()
            await connection.ask(request)
            seconds.append(time.perf_counter() - started)
    return seconds


async def rate(connections: list[Connection], request: bytes, duration: float) -> float:
    """Send requests on all connections for `duration` seconds; return requests per second."""
    started = time.perf_counter()

    async def ask_on(connection: Connection) -> int:
        count = 0
        while time.perf_counter() < started + duration:
            await connection.ask(request)
            count += 1
        return count

    async with asyncio.timeout(DEADLINE):
        counts = await asyncio.gather(*map(ask_on, connections))
    return sum(counts) / (time.perf_counter() - started)


async def send_all(connections: list[Connection], requests: Iterable[bytes]) -> None:
    """Send each request once, on any free connection."""
    waiting = iter(requests)

    async def send_on(connection: Connection) -> None:
        for request in waiting:
            await connection.ask(request)

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*map(send_on, connections))
