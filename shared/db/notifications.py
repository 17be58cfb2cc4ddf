"""PostgreSQL's notifications (LISTEN and NOTIFY) in this process: hints that shorten a wait, never the truth.

They need a connection of their own: the pool's connections change hands.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from shared.db.database import CONNECT_TIMEOUT, STATEMENT_TIMEOUT, translated
from shared.errors.error import LongshoreError
from shared.runtime.condition import Condition

# Interval of the query that checks the connection; nothing else notices a network that fails silently. Seconds.
CHECK_INTERVAL = 10.0
# Between two attempts to replace a lost connection; all waiters poll meanwhile. Seconds.
RECONNECT_DELAY = 2.0


class Notifications:
    """One listening connection for the whole process, and the events that its notifications set."""

    def __init__(self, database_url: str, channels: tuple[str, ...]) -> None:
        self._url = database_url
        self._channels = channels
        self._watchers: dict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._condition = Condition("notifications")

    @contextmanager
    def watch(self, channel: str, payload: str = "") -> Iterator[asyncio.Event]:
        """Lend an event that every notification with this payload sets; the borrower clears it."""
        event = asyncio.Event()
        watchers = self._watchers[channel, payload]
        watchers.add(event)
        try:
            yield event
        finally:
            watchers.discard(event)
            if not watchers:
                self._watchers.pop((channel, payload), None)

    def hint(self, channel: str) -> None:
        """Wake the channel's waiters in this process, without a NOTIFY, for which all commits would queue."""
        self._notify(channel, "")

    async def run(self) -> None:
        """Listen endlessly, on a new connection whenever one is lost."""
        while True:
            try:
                async with _listening(self._url, self._channels, self._notify) as listener:
                    self._condition.up()
                    self._notify_all()
                    await listener.watch()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(RECONNECT_DELAY)

    def _notify(self, channel: str, payload: str) -> None:
        for event in self._watchers.get((channel, payload), ()):
            event.set()

    def _notify_all(self) -> None:
        """Wake all waiters: notifications sent while there was no connection are lost."""
        for watchers in self._watchers.values():
            for event in watchers:
                event.set()


class _Listener:
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
async def _listening(url: str, channels: Sequence[str], notify: Callable[[str, str], None]) -> AsyncIterator[_Listener]:
    """Keep a connection open that calls `notify(channel, payload)` for every notification.

    Raises `database_unavailable` where the server accepts no connection.
    """

    def receive(_connection: Any, _pid: int, channel: str, payload: object) -> None:
        notify(channel, str(payload))

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
                await connection.add_listener(channel, receive)
        yield _Listener(connection)
    finally:
        connection.terminate()
