"""One direction of one connection: forwards bytes from one socket to the other, subject to the faults."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from tests.faults.active_faults import ActiveFaults
from tests.faults.fault import Corrupt, Cut, Delay, Direction, Freeze, OneDirection, Pace, Truncate

Kind = TypeVar("Kind", bound=OneDirection)

# Bytes per read; larger reads gain nothing.
READ_SIZE = 256 * 1024
# Buffered bytes: few, so that a stopped side soon blocks the other. A delayed direction buffers the bytes of a tenth of
# a second at 600 MB/s.
MAX_HELD = 512 * 1024
MAX_DELAYED = 64 * 1024 * 1024
# The interval of a paced direction, with as many bytes as its rate allows; single bytes have longer intervals. Seconds.
PACE_SECONDS = 0.05
FLIPPED_BIT = 0x01


class CutError(Exception):
    """The connection must be reset."""


class TruncatedError(Exception):
    """The connection must be closed without a reset."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """Some bytes with the loop's time of their arrival; no bytes mark the end."""

    content: bytes
    came: float


class Buffer:
    """A queue of pieces between one reader and one writer."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self._size = 0
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    async def put(self, piece: Piece, limit: int) -> None:
        """Wait until the buffer has fewer bytes than the limit, and add a piece."""
        while self._size >= limit:
            self._emptied.clear()
            await self._emptied.wait()
        self._pieces.append(piece)
        self._size += len(piece.content)
        self._filled.set()

    async def get(self) -> Piece:
        """Wait for a piece, and remove the oldest."""
        while not self._pieces:
            self._filled.clear()
            await self._filled.wait()
        piece = self._pieces.popleft()
        self._size -= len(piece.content)
        self._emptied.set()
        return piece


class Lane:
    """Two tasks, `read` and `write`; `passed` counts the forwarded bytes."""

    def __init__(
        self, connection: int, direction: Direction, faults: ActiveFaults, inlet: socket.socket, outlet: socket.socket
    ) -> None:
        self.connection = connection
        self.direction = direction
        self.passed = 0
        self._faults = faults
        self._inlet, self._outlet = inlet, outlet
        self._buffer = Buffer()
        self._loop = asyncio.get_running_loop()
        self._due = 0.0

    async def read(self) -> None:
        """Read until the end."""
        content = b"more"
        while content:
            content = await self._loop.sock_recv(self._inlet, READ_SIZE)
            limit = MAX_DELAYED if any(self._active(Delay)) else MAX_HELD
            await self._buffer.put(Piece(content=content, came=self._loop.time()), limit)

    async def write(self) -> None:
        """Forward the bytes and the end."""
        while (piece := await self._buffer.get()).content:
            rest = memoryview(piece.content)
            while rest:
                await self._wait(piece.came)
                part = rest[: self._allowed_bytes()]
                rest = rest[len(part) :]
                await self._loop.sock_sendall(self._outlet, self._damaged(part))
                self._count(len(part))
            self._end_if_cut()
        await self._wait(piece.came)
        self._outlet.shutdown(socket.SHUT_WR)

    async def _wait(self, came: float) -> None:
        """Wait until the next byte may be sent; raises if a fault ends the connection before it."""
        self._end_if_cut()
        while (seconds := self._seconds_to_wait(came)) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._faults.changed(), seconds)
        while any(self._active(Freeze)):
            await self._faults.changed()
        self._end_if_cut()

    def _seconds_to_wait(self, came: float) -> float:
        due = [came + delay.seconds for delay in self._active(Delay)]
        if any(self._active(Pace)):
            due.append(self._due)
        return max(due, default=0.0) - self._loop.time()

    def _end_if_cut(self) -> None:
        if any(self._active(Cut)):
            raise CutError
        if any(self._active(Truncate)):
            raise TruncatedError

    def _allowed_bytes(self) -> int:
        """Return how many bytes may be sent at once: up to the start of a fault, or as a pace allows."""
        begins = [
            fault.after - self.passed for _, fault in self._faults.of(OneDirection) if fault.direction is self.direction
        ]
        paces = [max(1, int(pace.rate * PACE_SECONDS)) for pace in self._active(Pace)]
        # A corrupted byte is sent alone.
        alone = [1] if any(self._damages()) else []
        return min([READ_SIZE, *paces, *alone, *(distance for distance in begins if distance > 0)])

    def _damages(self) -> Iterator[bool]:
        for active, fault in self._faults.of(Corrupt):
            if fault.direction is self.direction and fault.after == self.passed:
                yield active.affects(self.connection)

    def _damaged(self, part: memoryview) -> bytes | memoryview:
        return bytes([part[0] ^ FLIPPED_BIT]) if any(self._damages()) else part

    def _count(self, sent: int) -> None:
        for pace in self._active(Pace):
            self._due = max(self._due, self._loop.time()) + sent / pace.rate
        self.passed += sent

    def _active(self, kind: type[Kind]) -> Iterator[Kind]:
        """Yield the faults of a kind that affect this direction at its current byte."""
        for active, fault in self._faults.of(kind):
            if fault.direction is self.direction and fault.after <= self.passed and active.affects(self.connection):
                yield fault
