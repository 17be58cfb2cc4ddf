"""A load balancer that spreads connections over ready instances, like a Service in Kubernetes."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp

from deploy.local.processes.server import LOOPBACK

# The interval of the readiness probes of each instance, and their timeout. Seconds.
PROBE_INTERVAL = 0.2
PROBE_TIMEOUT = 2.0
CHUNK = 64 * 1024


class Balancer:
    """Forwards bytes: it knows neither requests nor retries, and never moves an open connection."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ready = dict.fromkeys(ports, False)
        self._turn = itertools.count()
        self.port = 0

    @property
    def url(self) -> str:
        """The http:// URL without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def ready(self) -> int:
        """The number of instances that get new connections."""
        return sum(self._ready.values())

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Balancer"]:
        """Listen on a free port, and probe the instances periodically."""
        server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = server.sockets[0].getsockname()[1]
        probes = [asyncio.create_task(self._probe(port)) for port in self._ready]
        try:
            yield self
        finally:
            for probe in probes:
                probe.cancel()
            await asyncio.gather(*probes, return_exceptions=True)
            server.close()

    async def _probe(self, port: int) -> None:
        timeout = aiohttp.ClientTimeout(total=PROBE_TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                try:
                    async with session.get(f"http://{LOOPBACK}:{port}/readyz") as answer:
                        self._ready[port] = answer.status == HTTPStatus.OK
                except (aiohttp.ClientError, TimeoutError, OSError):
                    self._ready[port] = False
                await asyncio.sleep(PROBE_INTERVAL)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client to the next ready instance; if that fails, close the client's connection."""
        ready = [port for port, is_ready in self._ready.items() if is_ready]
        try:
            port = ready[next(self._turn) % len(ready)]
            there, back = await asyncio.open_connection(LOOPBACK, port)
        except (ZeroDivisionError, OSError):
            writer.close()
            return
        await asyncio.gather(_forward(reader, back), _forward(there, writer))


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.close()
