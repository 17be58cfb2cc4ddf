"""A TCP proxy that injects faults: `python -m tests.faults.proxy LISTEN TO CONTROL`; link.py starts it.

It does not interpret the bytes, so it works for registries, RabbitMQ, PostgreSQL and the API.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from dataclasses import asdict
from typing import Any

from shared.runtime.concurrency import cancel_all
from tests.faults.active_faults import ActiveFaults
from tests.faults.connection import Connection, close
from tests.faults.fault import Counts, Direction, Fault, Refuse, Silence

LOOPBACK = "127.0.0.1"
BACKLOG = 128


class Proxy:
    """Listens on a loopback port and connects each client to another port."""

    def __init__(self, listen: int, to: int) -> None:
        self._listen, self._to = listen, to
        self._faults = ActiveFaults()
        self._accepting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._open: set[Connection] = set()
        self._passed = dict.fromkeys(Direction, 0)

    async def set(self, faults: list[Fault]) -> None:
        """Replace the faults."""
        self._faults.set(faults)
        refused = any(self._faults.of(Refuse))
        if refused and self._accepting:
            await cancel_all([self._accepting])
            self._accepting = None
        elif not refused and not self._accepting:
            self._accepting = asyncio.create_task(self._accept(self._listener()))

    def reset(self) -> None:
        """Reset all connections, like a firewall that has lost its state."""
        for task in self._tasks:
            task.cancel()

    def counts(self) -> Counts:
        """Return the counts so far."""
        return Counts(
            connections=self._numbers,
            open=len(self._open),
            to_server=self._bytes(Direction.TO_SERVER),
            to_client=self._bytes(Direction.TO_CLIENT),
            affected=[len(active.affected) for active in self._faults.all],
        )

    def _bytes(self, direction: Direction) -> int:
        running = (lane.passed for one in self._open for lane in one.lanes if lane.direction is direction)
        return self._passed[direction] + sum(running)

    def _listener(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((LOOPBACK, self._listen))
        listener.listen(BACKLOG)
        return listener

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                client, _ = await loop.sock_accept(listener)
                self._numbers += 1
                task = asyncio.create_task(self._serve(self._numbers, client))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _serve(self, number: int, client: socket.socket) -> None:
        server: socket.socket | None = None
        try:
            if self._faults.affect(Silence, number):
                await asyncio.Event().wait()
            server = await self._connect(client)
            await self._carry(Connection(number, self._faults, client, server))
        except OSError:
            pass  # The server does not listen.
        finally:
            for end in filter(None, (client, server)):
                close(end, orderly=False)

    async def _connect(self, client: socket.socket) -> socket.socket:
        server = socket.socket()
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(server, (LOOPBACK, self._to))
        return server

    async def _carry(self, connection: Connection) -> None:
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
            for lane in connection.lanes:
                self._passed[lane.direction] += lane.passed


class Control:
    """Carries out requests, each a line of JSON, and answers each with the counts."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the client disconnects."""
        while line := await reader.readline():
            await self._obey(json.loads(line))
            writer.write(json.dumps(asdict(self._proxy.counts())).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def _obey(self, request: dict[str, Any]) -> None:
        match request["do"]:
            case "set":
                await self._proxy.set([Fault.parse(fault) for fault in request["faults"]])
            case "reset":
                self._proxy.reset()


async def main(listen: int, to: int, control: int) -> None:
    """Serve until the process is ended."""
    proxy = Proxy(listen, to)
    await proxy.set([])
    server = await asyncio.start_server(Control(proxy).serve, LOOPBACK, control)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
