"""A slow target and a source that closes idle connections: neither ends the copy."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from import_worker.copying import stall, stream
from shared.errors.codes import Side
from shared.network.guard import AddressInfo, Guard
from shared.network.policy import NetworkPolicy
from shared.registry.client import Registries, open_registries
from shared.runtime.backoff import Backoff
from tests.scripted.registry import ScriptedRegistry
from tests.shared.content import described, noise
from tests.shared.moving import REPOSITORY, move, source_at, target_at

LOOPBACK = "127.0.0.1"
CONTENT = noise(7 * 1024 * 1024 // 2, 44)
# Seconds between two reads of the target: 64 KiB at a time, a megabyte per second.
PIECE, PAUSE = 64 * 1024, 0.06
# The source ends a connection without progress after this time, less than the target takes for a full buffer. Seconds.
IDLE = 0.3
# A stall, in this test: far less than the whole copy takes, more than any pause in it. Seconds.
STALL = 2.0
PATCH = r"/v2/team/app/blobs/uploads/.+"
# Bytes of a socket's buffer; a larger one would hold the whole content.
SMALL_BUFFER = 64 * 1024


class ImpatientSource:
    """Serves one blob, and resets connections whose client does not read for a while; `opened` has each start."""

    def __init__(self, content: bytes) -> None:
        self.opened: list[int] = []
        self.given_up = 0
        self.host = ""
        self._content = content

    @asynccontextmanager
    async def running(self) -> AsyncIterator["ImpatientSource"]:
        listener = socket.create_server((LOOPBACK, 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL_BUFFER)
        server = await asyncio.start_server(self._serve, sock=listener)
        self.host = f"{LOOPBACK}:{listener.getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except (TimeoutError, ConnectionError):
            self.given_up += 1
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked = re.search(r"range: bytes=(\d+)-", head, re.IGNORECASE)
        start = int(asked[1]) if asked else 0
        self.opened.append(start)
        left, size = self._content[start:], len(self._content)
        status = f"206 Partial\r\nContent-Range: bytes {start}-{size - 1}/{size}" if asked else "200 OK"
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(left)}\r\n\r\n".encode())
        writer.transport.set_write_buffer_limits(0)
        for at in range(0, len(left), PIECE):
            writer.write(left[at : at + PIECE])
            async with asyncio.timeout(IDLE):
                await writer.drain()
        # The orderly end: the client closes the connection.
        await reader.read()


@pytest.fixture
def small_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use small socket buffers, so that one side notices at once that the other is slow."""
    make_socket = Guard.make_socket

    def small(self: Guard, info: AddressInfo) -> socket.socket:
        made = make_socket(self, info)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            made.setsockopt(socket.SOL_SOCKET, buffer, SMALL_BUFFER)
        return made

    monkeypatch.setattr(Guard, "make_socket", small)


async def opened(stack: AsyncExitStack, host: str, side: Side) -> Registries:
    policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], plain_http=[host])
    return await stack.enter_async_context(open_registries(policy, side))


@pytest.mark.usefixtures("small_sockets")
async def test_a_slow_target_does_not_cost_what_the_source_has_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source resets connections that the slow target leaves idle: each continues by Range, into one upload."""
    monkeypatch.setattr(stream, "BLOB_RETRY", Backoff(first=0.01, maximum=0.1))
    monkeypatch.setattr(stall, "STALL_SECONDS", STALL)
    blob = described(CONTENT)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(ImpatientSource(CONTENT).running())
        target = await stack.enter_async_context(ScriptedRegistry())
        assert target._listening
        # Before the first connection: accepted sockets inherit the listener's buffers.
        for listener in target._listening.sockets:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        slow = target.on("PATCH", PATCH).drip(PIECE, PAUSE)
        reader = source_at(await opened(stack, source.host, Side.SOURCE), source.host)
        writer = target_at(await opened(stack, target.host, Side.TARGET), target.host)
        started = asyncio.get_running_loop().time()
        await move(blob, reader, writer)
        took = asyncio.get_running_loop().time() - started
    assert target.blob(REPOSITORY, str(blob.digest)) == CONTENT
    # The transfer was slow enough for the source to end connections.
    assert took > STALL
    assert source.given_up > 0
    assert source.opened == sorted(set(source.opened))
    assert len(slow.hits) == 1
