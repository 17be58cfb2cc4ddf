"""Faults of a body in transit, in either direction."""

import asyncio
from collections.abc import AsyncIterator

from tests.scripted.behaviour import Behaviour
from tests.scripted.connection import PIECE, Connection


async def pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), PIECE):
        yield bytes(view[start : start + PIECE])


def shaped(parts: AsyncIterator[bytes], behaviour: Behaviour, connection: Connection) -> AsyncIterator[bytes]:
    """Pass the body as the behaviour defines."""
    if behaviour.corrupt_at is not None:
        parts = _corrupted(parts, behaviour.corrupt_at)
    if behaviour.end_after is not None:
        parts = _ended(parts, behaviour.end_after, behaviour, connection)
    if behaviour.pace is not None:
        parts = _paced(parts, *behaviour.pace)
    return parts


async def first(parts: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield the first bytes, and read no further than the part in which they end."""
    while size > 0:
        part = await anext(parts, b"")
        if not part:
            return
        yield part[:size]
        size -= len(part)


async def _corrupted(parts: AsyncIterator[bytes], at: int) -> AsyncIterator[bytes]:
    passed = 0
    async for part in parts:
        index = at - passed
        passed += len(part)
        yield part if not 0 <= index < len(part) else part[:index] + bytes([part[index] ^ 0xFF]) + part[index + 1 :]


async def _ended(
    parts: AsyncIterator[bytes], size: int, behaviour: Behaviour, connection: Connection
) -> AsyncIterator[bytes]:
    async for part in first(parts, size):
        yield part
    await connection.end(behaviour.ending)


async def _paced(parts: AsyncIterator[bytes], size: int, pause: float) -> AsyncIterator[bytes]:
    async for part in parts:
        for start in range(0, len(part), size):
            yield part[start : start + size]
            await asyncio.sleep(pause)
