"""Free loopback ports that no other stack on this machine picks at the same time."""

from __future__ import annotations

import contextlib
import random
import socket

# Below Linux's default range for outgoing connections (32768 and up), so that no client socket takes a reserved port
# before its server starts; above the well-known ports.
FIRST, LAST = 20_000, 29_999


class Ports:
    """Reserves ports while it is open.

    A reservation is a bound name in the abstract socket namespace. All users share that namespace, it belongs to the
    network namespace as the ports do, and the kernel removes the name with its process.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def reserve(self) -> int:
        """Reserve a free port and return it; RuntimeError if there is none."""
        candidates = list(range(FIRST, LAST + 1))
        random.shuffle(candidates)
        for port in candidates:
            if self._claim(port):
                return port
        raise RuntimeError(f"no free port between {FIRST} and {LAST}")

    def _claim(self, port: int) -> bool:
        """Bind the port's name, then check whether a program already listens on the port."""
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0longshore-port-{port}")
        except OSError:
            name.close()
            return False
        if not is_free(port):
            name.close()
            return False
        self._held.append(name)
        return True

    def close(self) -> None:
        """Release all ports."""
        while self._held:
            self._held.pop().close()


def is_free(port: int) -> bool:
    """Return whether a server can listen on this port on every address of the machine."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        # As servers do: connections of a previous server in TIME_WAIT do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", port))
        probe.listen()
        return True
    return False
