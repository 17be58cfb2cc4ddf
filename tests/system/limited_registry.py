"""A registry behind a proxy that limits its rate, and counts what arrives while it does."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import ceil

from deploy.local.stack import Registry

LOOPBACK = "127.0.0.1"
# Bytes passed on at a time.
CHUNK = 256 * 1024
# A registry on the same machine answers at once; this is for a busy one. Seconds.
TIMEOUT = 60.0
BLOB = re.compile(r"/blobs/(sha256:[0-9a-f]{64})$")


class LimitedRegistry:
    """What stands before a registry at `port`. Without a limit, everything is passed on."""

    def __init__(self, registry: Registry, port: int) -> None:
        self.host = f"{LOOPBACK}:{port}"
        self.refused: list[str] = []
        """Requests that met the limit."""
        self.blobs: Counter[str] = Counter()
        """How often each blob was sent."""
        self._registry = registry
        self._port = port
        self._until = 0.0
        self._blobs_left = -1
        self._seconds = 0.0
        self._lock = threading.Lock()

    @property
    def limited(self) -> bool:
        return time.monotonic() < self._until

    def limit(self, seconds: float) -> None:
        """Refuse everything from now on, for so many seconds."""
        self._until = time.monotonic() + seconds

    def limit_after(self, blobs: int, seconds: float) -> None:
        """Send so many blobs, and then refuse everything for so many seconds."""
        self._blobs_left, self._seconds = blobs, seconds

    def retry_after(self, path: str, method: str) -> int | None:
        """Return what a request is refused with: whole seconds, as the header has them; None lets it pass."""
        with self._lock:
            blob = BLOB.search(path)
            if method == "GET" and blob and not self.limited:
                if self._blobs_left == 0:
                    self.limit(self._seconds)
                self._blobs_left -= 1
            if self.limited:
                self.refused.append(f"{method} {path}")
                return ceil(self._until - time.monotonic())
            if method == "GET" and blob:
                self.blobs[blob[1]] += 1
        return None

    @contextmanager
    def pass_on(self, handler: BaseHTTPRequestHandler) -> Iterator[HTTPResponse]:
        """Ask the registry the same."""
        port = int(self._registry.host.rpartition(":")[2])
        with closing(HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)) as connection:
            connection.request(handler.command, handler.path, headers=dict(handler.headers))
            yield connection.getresponse()

    @contextmanager
    def running(self) -> Iterator["LimitedRegistry"]:
        server = ThreadingHTTPServer((LOOPBACK, self._port), _handler(self))
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(limited: LimitedRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            seconds = limited.retry_after(self.path, self.command)
            if seconds is None:
                self._pass_on()
                return
            self.send_response(429)
            self.send_header("Retry-After", str(seconds))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - http.server's name for it

        def _pass_on(self) -> None:
            with limited.pass_on(self) as answer:
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    self.send_header(name, value)
                self.end_headers()
                while self.command == "GET" and (chunk := answer.read(CHUNK)):
                    self.wfile.write(chunk)

        def log_message(self, *_: object) -> None:
            """Nothing: the test asks what it wants to know."""

    return Handler
