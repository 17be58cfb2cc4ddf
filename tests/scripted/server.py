"""A server on a loopback port that records its requests."""

import asyncio
import re
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.scripted.connection import PIECE, Connection, EndedError
from tests.scripted.received_request import ReceivedRequest

LOOPBACK = "127.0.0.1"
# Many tests include a client that disconnects during an exchange.
_GONE = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, EndedError, ssl.SSLError)


class Server:
    """Subclasses respond in `exchange`. Used as `async with`; running exchanges are cancelled at its end."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, address: str = LOOPBACK) -> None:
        """Listen on a free port of `address`, with TLS if a context is given."""
        self.asked: list[ReceivedRequest] = []
        self.connections = 0
        self.port = 0
        self.address = address
        self._tls = tls
        self._listening: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._links: list[Connection] = []

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @property
    def open_connections(self) -> int:
        """The number of open client connections."""
        return len(self._serving)

    @property
    def sent(self) -> dict[int, int]:
        """Bytes sent on each connection, by its number."""
        return {connection.number: connection.sent for connection in self._links}

    def requests(self, method: str = ".*", path: str = ".*") -> list[ReceivedRequest]:
        """Return the recorded requests whose whole method and path match these patterns."""
        return [asked for asked in self.asked if re.fullmatch(method, asked.method) and re.fullmatch(path, asked.path)]

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        """Respond to one request; return True if the connection can serve another."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_server(
            self._connected, self.address, self.port, ssl=self._tls, limit=PIECE
        )
        self.port = self._listening.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._listening
        self._listening.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for writer in self._writers:
            # Under TLS a close waits half a minute for a peer that keeps the connection for later. A transport that has
            # ended already lacks what abort() needs, in Debian 12's Python.
            with suppress(AttributeError):
                writer.transport.abort()
        await self._listening.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        task = asyncio.current_task()
        assert task
        self._serving.add(task)
        try:
            with suppress(*_GONE, asyncio.CancelledError):
                connection = Connection(reader, writer, self.connections)
                self._links.append(connection)
                await self._serve(connection)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _serve(self, connection: Connection) -> None:
        while asked := await connection.read_request():
            self.asked.append(asked)
            if not await self.exchange(asked, connection):
                return
