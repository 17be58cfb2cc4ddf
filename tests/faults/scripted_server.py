"""Runs a scripted server for blocking code, on an event loop in another thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from tests.scripted.server import Server

Served = TypeVar("Served", bound=Server)

# Seconds for the start and for the end.
TIMEOUT = 20.0


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
    if not listens.wait(TIMEOUT):
        raise TimeoutError("the scripted server does not listen")
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(TIMEOUT)
        loop.close()
