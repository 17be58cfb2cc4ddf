"""Measures accepted imports: from the first request until RabbitMQ has confirmed the last message."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from benchmarks.api.client import Connection, connected, send_all
from benchmarks.measure import Spread

if TYPE_CHECKING:
    from benchmarks.api.stack import Arena

IMPORT = "/api/v1/images:import"
# Seconds between two queries whether all messages are published.
POLL = 0.002
UNPUBLISHED = "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"


@dataclass(frozen=True, kw_only=True)
class ImportSamples:
    """Imports per second by round: the product's, and those of the bare commit and publish."""

    product: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def share(self) -> list[float]:
        """Return for each round the product's share of the bare endpoint's rate."""
        return [product / bare for product, bare in zip(self.product, self.bare, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return all figures as JSON."""
        return asdict(self) | {"share": asdict(Spread.of(self.share()))}


async def measure_imports(arena: Arena, *, rounds: int, count: int, at_once: int) -> ImportSamples:
    """Import `count` new images per round into the larger list, and as many rows with the bare endpoint."""
    samples = ImportSamples()
    watching = await asyncpg.connect(arena.many.database)
    async with connected(arena.many.endpoint, at_once) as connections, connected(arena.bare, at_once) as bare:
        # The first round opens connections and fills caches.
        for number in range(rounds + 1):
            product = count / await _import(arena, connections, watching, _bodies(arena, number, count))
            possible = count / await _commit_and_publish(arena, bare, _bodies(arena, number, count))
            if number:
                samples.product.append(product)
                samples.bare.append(possible)
    await watching.close()
    return samples


def _bodies(arena: Arena, number: int, count: int) -> list[bytes]:
    """Request distinct images: the API looks up the source of every request, and every target name is new."""
    return [json.dumps({"source": f"{arena.source}-{number}-{image % 50}:v{image}"}).encode() for image in range(count)]


async def _import(
    arena: Arena, connections: list[Connection], watching: asyncpg.Connection[asyncpg.Record], bodies: list[bytes]
) -> float:
    """Return the seconds until the last message is confirmed."""
    started = time.perf_counter()
    await send_all(connections, (arena.many.endpoint.request("POST", IMPORT, body) for body in bodies))
    while await watching.fetchval(UNPUBLISHED):  # noqa: ASYNC110 - another process changes the condition
        await asyncio.sleep(POLL)
    return time.perf_counter() - started


async def _commit_and_publish(arena: Arena, connections: list[Connection], bodies: list[bytes]) -> float:
    started = time.perf_counter()
    await send_all(connections, (arena.bare.request("POST", "/imports", body) for body in bodies))
    return time.perf_counter() - started
