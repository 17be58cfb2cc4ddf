"""Measures accepted imports: from the first request until RabbitMQ has confirmed the last one's message."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from benchmarks.api.client import Connection, connected, send_all
from benchmarks.measure import Spread
from deploy.local.checkout import ROOT
from deploy.local.scratch import CLEAN_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.api.stack import Arena

# How often PostgreSQL is asked whether all is published. Seconds.
POLL = 0.002
UNPUBLISHED = "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"


@dataclass(frozen=True, kw_only=True)
class ImportSamples:
    """Imports per second, one figure for each round: the product's and those of the bare commit and publish."""

    product: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def share(self) -> list[float]:
        """Return, for each round, what the product does of what is possible."""
        return [product / bare for product, bare in zip(self.product, self.bare, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self) | {"share": asdict(Spread.of(self.share()))}


async def measure_imports(arena: Arena, *, rounds: int, count: int, at_once: int) -> ImportSamples:
    """Import `count` new images in each round, into the larger list; the bare process does as many in its turn."""
    samples = ImportSamples()
    watching = await asyncpg.connect(arena.many.database)
    async with connected(arena.many.endpoint, at_once) as connections, _bare(arena, at_once) as bare:
        # The first round opens connections and fills caches.
        for number in range(rounds + 1):
            product = count / await _import(arena, connections, watching, number, count)
            possible = count / await _ask_bare(bare, count)
            if number:
                samples.product.append(product)
                samples.bare.append(possible)
    await watching.close()
    return samples


async def _import(
    arena: Arena, connections: list[Connection], watching: asyncpg.Connection[asyncpg.Record], number: int, count: int
) -> float:
    started = time.perf_counter()
    await send_all(connections, _requests(arena, number, count))
    while await watching.fetchval(UNPUBLISHED):  # noqa: ASYNC110 - another process does what is waited for
        await asyncio.sleep(POLL)
    return time.perf_counter() - started


def _requests(arena: Arena, number: int, count: int) -> Iterator[bytes]:
    """Ask for images of one source under distinct names: each request has the source looked up all the same."""
    for image in range(count):
        body = {"source": arena.source, "target": f"imports/team-{image % 50}/image-{number}:{image}"}
        yield arena.many.endpoint.request("POST", "/api/v1/images:import", json.dumps(body).encode())


@asynccontextmanager
async def _bare(arena: Arena, at_once: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.api.bare_imports", arena.many.database, arena.amqp, str(at_once)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # As the other servers: the kernel shares the processors out by session.
        start_new_session=True,
        env=CLEAN_ENVIRONMENT | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdin
    try:
        yield process
    finally:
        process.stdin.close()
        await process.wait()


async def _ask_bare(process: asyncio.subprocess.Process, count: int) -> float:
    """Return the seconds that so many took it."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(f"{count}\n".encode())
    return float(await process.stdout.readline())
