"""A cheap registry in a separate process, the source and the target of the measured imports.

Every manifest below SOURCE exists, with the same digest; the target's do not. Real registries have processors of their
own: docker-registry would take half of the two processors of the measurement.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import cast

import uvloop

END_OF_HEAD = b"\r\n\r\n"
# The repositories that the registry has.
SOURCE = "source"
_PING = b"GET /v2/ HTTP/1.1\r\n"
_MANIFEST = re.compile(rb"HEAD /v2/%s/[^ ]+/manifests/[^ ]+ HTTP/1.1\r\n" % SOURCE.encode())
PONG = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FOUND = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: 743\r\n"
    b"Docker-Content-Digest: sha256:" + 64 * b"5" + b"\r\n\r\n"
)
UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Registry(asyncio.Protocol):
    """One connection; a client sends its next request after the answer to the last."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith(END_OF_HEAD):
            self._transport.write(_answer(self._received))
            self._received = b""


def _answer(head: bytes) -> bytes:
    if head.startswith(_PING):
        return PONG
    return FOUND if _MANIFEST.match(head) else UNKNOWN


async def main(port: int) -> None:
    """Serve until the process is killed."""
    server = await asyncio.get_running_loop().create_server(Registry, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
