"""What PostgreSQL's NOTIFY tells this process: hints that shorten a wait, never the truth."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from shared.db.listener import listening
from shared.errors.error import LongshoreError
from shared.runtime.condition import Condition

# Between two tries to get a listening connection back; everybody polls meanwhile. Seconds.
RECONNECT_DELAY = 2.0


class Notifications:
    """One listening connection for the whole process, and those who wait for its news."""

    def __init__(self, database_url: str, channels: tuple[str, ...]) -> None:
        self._url = database_url
        self._channels = channels
        self._watchers: dict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._condition = Condition("notifications")

    @contextmanager
    def watch(self, channel: str, payload: str = "") -> Iterator[asyncio.Event]:
        """Lend an event that is set at every notification with this payload; the borrower clears it."""
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
        """Wake those who wait in this process: a NOTIFY of PostgreSQL's would make all commits queue for it."""
        self._tell(channel, "")

    async def run(self) -> None:
        """Listen for ever, on a new connection whenever one is lost."""
        while True:
            try:
                async with listening(self._url, self._channels, self._tell) as listener:
                    self._condition.up()
                    self._tell_all()
                    await listener.watch()
            except LongshoreError as error:
                self._condition.down(error)
            await asyncio.sleep(RECONNECT_DELAY)

    def _tell(self, channel: str, payload: str) -> None:
        for event in self._watchers.get((channel, payload), ()):
            event.set()

    def _tell_all(self) -> None:
        """Wake everybody: what was said while nobody listened is lost."""
        for watchers in self._watchers.values():
            for event in watchers:
                event.set()
