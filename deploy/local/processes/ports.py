"""Free loopback ports that no other stack on this machine will pick at the same time."""

from __future__ import annotations

import contextlib
import random
import socket

# Below Linux's default range for outgoing connections (32768 and up), so that no client socket of
# any program takes a reserved port before its server starts; above the well-known services.
FIRST, LAST = 20_000, 29_999


class Ports:
    """Reserves ports for as long as it is open.

    A reservation is a bound name in the abstract socket namespace: shared by all users, scoped to
    the network namespace exactly like the ports are, and gone with the process that holds it.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def reserve(self) -> int:
        """Return a port that was free and is ours now; RuntimeError when there is none."""
        candidates = list(range(FIRST, LAST + 1))
        random.shuffle(candidates)
        for port in candidates:
            if self._claim(port):
                return port
        raise RuntimeError(f"no free port between {FIRST} and {LAST}")

    def _claim(self, port: int) -> bool:
        """Take the port's name, then see whether some program already listens there."""
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
        """Give all ports back."""
        while self._held:
            self._held.pop().close()


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port on every address of the machine."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        # As servers do it: connections of a former server in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", port))
        probe.listen()
        return True
    return False
