"""One connection through the link: two sockets and the two ways between them."""

from __future__ import annotations

import asyncio
import socket
import struct

from tests.faults.active_faults import ActiveFaults
from tests.faults.fault import Direction
from tests.faults.lane import CutError, Lane, TruncatedError

# With these values of SO_LINGER, closing sends a reset and drops what is left to send (socket(7)).
LINGER_NOT = struct.pack("ii", 1, 0)


class Connection:
    """Passes bytes on until both ways have ended, or a fault or a side's reset ends both."""

    def __init__(self, number: int, faults: ActiveFaults, client: socket.socket, server: socket.socket) -> None:
        self._ends = (client, server)
        self.lanes = (
            Lane(number, Direction.TO_SERVER, faults, client, server),
            Lane(number, Direction.TO_CLIENT, faults, server, client),
        )

    async def run(self) -> None:
        """Pass bytes on; cancelling this resets the connection."""
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
    """Close a socket with FIN, or with RST; one that is closed stays so."""
    try:
        if orderly:
            # First: closing alone would be a reset where the other side's bytes lie unread.
            end.shutdown(socket.SHUT_WR)
        else:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    except OSError:
        pass  # The other side was faster.
    end.close()
