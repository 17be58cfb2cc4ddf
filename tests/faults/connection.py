"""One connection through the link: two sockets and the two directions between them."""

from __future__ import annotations

import asyncio
import socket
import struct

from tests.faults.active_faults import ActiveFaults
from tests.faults.fault import Direction
from tests.faults.lane import CutError, Lane, TruncatedError

# With these values of SO_LINGER, close() sends a reset and drops unsent bytes (socket(7)).
LINGER_NOT = struct.pack("ii", 1, 0)


class Connection:
    """Forwards bytes until both directions have ended, or a fault or a reset ends both."""

    def __init__(self, number: int, faults: ActiveFaults, client: socket.socket, server: socket.socket) -> None:
        self._ends = (client, server)
        self.lanes = (
            Lane(number, Direction.TO_SERVER, faults, client, server),
            Lane(number, Direction.TO_CLIENT, faults, server, client),
        )

    async def run(self) -> None:
        """Forward bytes; cancelling this resets the connection."""
        orderly = False
        try:
            async with asyncio.TaskGroup() as tasks:
                for lane in self.lanes:
                    tasks.create_task(lane.read())
                    tasks.create_task(lane.write())
            orderly = True
        except* TruncatedError:
            orderly = True
        except* (CutError, OSError):
            orderly = False
        finally:
            for end in self._ends:
                close(end, orderly=orderly)


def close(end: socket.socket, *, orderly: bool) -> None:
    """Close a socket with FIN or with RST; a closed socket is left alone."""
    try:
        if orderly:
            # Before close(), which sends a reset if bytes of the other side are unread.
            end.shutdown(socket.SHUT_WR)
        else:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    except OSError:
        pass  # The other side was faster.
    end.close()
