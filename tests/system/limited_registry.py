"""A registry behind a proxy with a rate limit, which counts the requests during the limit."""

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
# Bytes forwarded at a time.
CHUNK = 256 * 1024
# Seconds for the registry's response on a busy machine.
TIMEOUT = 60.0
BLOB = re.compile(r"/blobs/(sha256:[0-9a-f]{64})$")


class LimitedRegistry:
    """A proxy of a registry at `port`. Without a limit, it forwards everything."""

    def __init__(self, registry: Registry, port: int) -> None:
        self.host = f"{LOOPBACK}:{port}"
        self.refused: list[str] = []
        """The requests that were refused."""
        self.blobs: Counter[str] = Counter()
        """The number of times each blob was sent."""
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
        """Refuse everything for this number of seconds."""
        self._until = time.monotonic() + seconds

    def limit_after(self, blobs: int, seconds: float) -> None:
        """Send this number of blobs, and then refuse everything for this number of seconds."""
        self._blobs_left, self._seconds = blobs, seconds

    def retry_after(self, path: str, method: str) -> int | None:
        """Return the whole seconds of Retry-After for a refused request, or None to forward it."""
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
    def forward(self, handler: BaseHTTPRequestHandler) -> Iterator[HTTPResponse]:
        """Send the same request to the registry."""
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
                self._forward()
                return
            self.send_response(429)
            self.send_header("Retry-After", str(seconds))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - http.server's name for it

        def _forward(self) -> None:
            with limited.forward(self) as answer:
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    self.send_header(name, value)
                self.end_headers()
                while self.command == "GET" and (chunk := answer.read(CHUNK)):
                    self.wfile.write(chunk)

        def log_message(self, *_: object) -> None:
            """Log nothing: the tests read the counters."""

    return Handler
