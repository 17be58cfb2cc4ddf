"""A server on a loopback port that remembers what it was asked."""

import asyncio
import re
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.scripted.asked import Asked
from tests.scripted.connection import PIECE, Connection, EndedError

LOOPBACK = "127.0.0.1"
# A client that goes away in the middle is part of many tests.
_GONE = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, EndedError, ssl.SSLError)


class Server:
    """Subclasses answer in `exchange`. Used as `async with`; whatever is still being served ends with it."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, address: str = LOOPBACK) -> None:
        """Listen on a free port of `address`, with TLS where a context is given."""
        self.asked: list[Asked] = []
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
        """How many clients have not gone away."""
        return len(self._serving)

    @property
    def sent(self) -> dict[int, int]:
        """Bytes sent on each connection, by its number."""
        return {connection.number: connection.sent for connection in self._links}

    def requests(self, method: str = ".*", path: str = ".*") -> list[Asked]:
        """Return what was asked, by patterns for the whole method and the whole path."""
        return [asked for asked in self.asked if re.fullmatch(method, asked.method) and re.fullmatch(path, asked.path)]

    async def exchange(self, asked: Asked, connection: Connection) -> bool:
        """Answer one request; True where the connection can serve another."""
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
