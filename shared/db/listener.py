"""A connection that waits for notifications (LISTEN); the pool's connections cannot, they change hands."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from shared.db.database import CONNECT_TIMEOUT, STATEMENT_TIMEOUT, translated

# How often the connection is asked for a sign of life; nothing else notices a network that fails silently. Seconds.
CHECK_INTERVAL = 10.0


class Listener:
    """An open listening connection."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._ended = asyncio.Event()
        connection.add_termination_listener(lambda _: self._ended.set())

    async def watch(self) -> None:
        """Return when the server has ended the connection; raises `database_unavailable` when it went silent."""
        while not self._ended.is_set():
            with translated():
                await self._connection.fetchval("SELECT 1")
            try:
                async with asyncio.timeout(CHECK_INTERVAL):
                    await self._ended.wait()
            except TimeoutError:
                continue


@asynccontextmanager
async def listening(url: str, channels: Sequence[str], tell: Callable[[str, str], None]) -> AsyncIterator[Listener]:
    """Keep a connection open that calls `tell(channel, payload)` for every notification.

    Raises `database_unavailable` when there is none to be had.
    """

    def heard(_connection: Any, _pid: int, channel: str, payload: object) -> None:
        tell(channel, str(payload))

    with translated():
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_TIMEOUT,
            command_timeout=STATEMENT_TIMEOUT,
            server_settings={"application_name": "longshore listener"},
        )
    try:
        with translated():
            for channel in channels:
                await connection.add_listener(channel, heard)
        yield Listener(connection)
    finally:
        connection.terminate()
