"""An echo server for the tests of the link."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

LOOPBACK = "127.0.0.1"


class Echo:
    """Echoes all bytes; `got` counts the bytes, `connections` the connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self.got = 0
        self.connections = 0

    def accept(self) -> None:
        """Serve connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def stop(self) -> None:
        """Close the listener."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            while content := client.recv(1 << 16):
                self.got += len(content)
                client.sendall(content)


@contextmanager
def echoing() -> Iterator[Echo]:
    """Run an echo server while the block runs."""
    echo = Echo()
    thread = threading.Thread(target=echo.accept, daemon=True)
    thread.start()
    try:
        yield echo
    finally:
        echo.stop()
        thread.join()
