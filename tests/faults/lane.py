"""One way of one connection: what comes in on one side goes out on the other, as the faults let it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

from tests.faults.active_faults import ActiveFaults
from tests.faults.buffer import Buffer, Piece
from tests.faults.fault import Corrupt, Cut, Delay, Direction, Freeze, OneDirection, Pace, Truncate

Kind = TypeVar("Kind", bound=OneDirection)

# Bytes read at a time; larger ones gain nothing.
READ_SIZE = 256 * 1024
# Bytes on their way through: few, so that a side that stops is soon felt on the other. A delayed way holds as many as
# come in during a tenth of a second at 600 MB/s.
MAX_HELD = 512 * 1024
MAX_DELAYED = 64 * 1024 * 1024
# A paced way sends so often, with as many bytes as its rate allows, and single bytes more slowly. Seconds.
PACE_SECONDS = 0.05
FLIPPED_BIT = 0x01


class CutError(Exception):
    """The connection is to be reset."""


class TruncatedError(Exception):
    """The connection is to be closed in good order."""


class Lane:
    """Two tasks, `read` and `write`; `passed` counts the bytes that were sent on."""

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
        """Take what comes, until its end."""
        content = b"more"
        while content:
            content = await self._loop.sock_recv(self._inlet, READ_SIZE)
            limit = MAX_DELAYED if any(self._active(Delay)) else MAX_HELD
            await self._buffer.put(Piece(content=content, came=self._loop.time()), limit)

    async def write(self) -> None:
        """Send on what was taken, and its end."""
        while (piece := await self._buffer.get()).content:
            rest = memoryview(piece.content)
            while rest:
                await self._wait(piece.came)
                part = rest[: self._room()]
                rest = rest[len(part) :]
                await self._loop.sock_sendall(self._outlet, self._damaged(part))
                self._count(len(part))
            self._end_if_told()
        await self._wait(piece.came)
        self._outlet.shutdown(socket.SHUT_WR)

    async def _wait(self, came: float) -> None:
        """Return when the next byte may go; raises where the connection ends before it."""
        self._end_if_told()
        while (seconds := self._seconds_to_wait(came)) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._faults.changed(), seconds)
        while any(self._active(Freeze)):
            await self._faults.changed()
        self._end_if_told()

    def _seconds_to_wait(self, came: float) -> float:
        due = [came + delay.seconds for delay in self._active(Delay)]
        if any(self._active(Pace)):
            due.append(self._due)
        return max(due, default=0.0) - self._loop.time()

    def _end_if_told(self) -> None:
        if any(self._active(Cut)):
            raise CutError
        if any(self._active(Truncate)):
            raise TruncatedError

    def _room(self) -> int:
        """Return how many bytes may be sent at once: up to where a fault begins, or what a pace allows."""
        begins = [
            fault.after - self.passed for _, fault in self._faults.of(OneDirection) if fault.direction is self.direction
        ]
        paces = [max(1, int(pace.rate * PACE_SECONDS)) for pace in self._active(Pace)]
        # A byte that is to be damaged is sent by itself.
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
        """Return the faults of a kind that befall this way where it is."""
        for active, fault in self._faults.of(kind):
            if fault.direction is self.direction and fault.after <= self.passed and active.affects(self.connection):
                yield fault
