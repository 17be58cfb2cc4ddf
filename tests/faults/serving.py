"""A scripted server for a program that blocks: it runs on an event loop of its own, in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.scripted.server import Server

Served = TypeVar("Served", bound=Server)

# Seconds until it listens, and until it has ended.
PATIENCE = 20.0


@contextmanager
def serving(server: Served) -> Iterator[Served]:
    """Serve while the block runs."""
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    listens = threading.Event()

    async def serve() -> None:
        async with server:
            listens.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    if not listens.wait(PATIENCE):
        raise TimeoutError("the scripted server does not listen")
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE)
        loop.close()
