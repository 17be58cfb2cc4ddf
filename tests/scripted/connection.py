"""One connection of a scripted server: its own HTTP/1.1 (RFC 9112), so that it can be interrupted at any byte."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from enum import Enum, auto
from socket import SO_LINGER, SOL_SOCKET
from typing import NoReturn

from tests.scripted.received_request import ReceivedRequest

# Bytes read from a connection, or written to it, at a time.
PIECE = 256 * 1024


class Ending(Enum):
    """How a connection ends prematurely."""

    RESET = auto()
    """RST: the peer sees a connection error."""
    CLOSE = auto()
    """FIN: the peer sees the end of the stream."""
    SILENCE = auto()
    """The server stops reading and writing; the connection stays open."""


class EndedError(Exception):
    """The connection has been ended on purpose."""


class Connection:
    """Reads requests and writes bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer
        self._body: AsyncIterator[bytes] | None = None
        self.sent = 0
        """The number of bytes that the kernel has accepted."""
        # Draining waits until the kernel has accepted all bytes, so that "cut after n bytes" means n bytes. Not 0,
        # because under TLS an empty buffer would then count as full.
        writer.transport.set_write_buffer_limits(high=1, low=0)

    async def read_request(self) -> ReceivedRequest | None:
        """Read a request's head; None if the peer has closed the connection."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return ReceivedRequest(
            method=method, target=target, headers=headers, connection=self.number, at=time.monotonic()
        )

    def body(self, asked: ReceivedRequest) -> AsyncIterator[bytes]:
        """Yield the request's body as it arrives."""
        self._body = self._read_body(asked)
        return self._body

    async def send(self, data: bytes | memoryview) -> None:
        self._writer.write(data)
        await self._writer.drain()
        self.sent += len(data)

    async def end(self, ending: Ending) -> NoReturn:
        """End the connection, and so the exchange; raises EndedError."""
        if ending is Ending.SILENCE:
            await asyncio.Event().wait()
        if ending is Ending.RESET:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        raise EndedError

    async def linger(self) -> None:
        """Read and discard the rest of the body: closing earlier would reset the connection during the response."""
        if self._body:
            async for _ in self._body:
                pass

    async def _read_body(self, asked: ReceivedRequest) -> AsyncIterator[bytes]:
        async for part in self._chunks() if asked.chunked else self._exactly(asked.length):
            asked.received += len(part)
            yield part
        asked.complete = True

    async def _exactly(self, length: int) -> AsyncIterator[bytes]:
        while length:
            part = await self._reader.read(min(length, PIECE))
            if not part:
                raise asyncio.IncompleteReadError(b"", length)
            length -= len(part)
            yield part

    async def _chunks(self) -> AsyncIterator[bytes]:
        while length := int(await self._reader.readuntil(b"\r\n"), 16):
            async for part in self._exactly(length):
                yield part
            await self._reader.readuntil(b"\r\n")
        await self._reader.readuntil(b"\r\n")
