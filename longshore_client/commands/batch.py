"""Many imports at once, with few requests at once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from longshore_client.commands.follow_import import cancel_for_good
from longshore_client.commands.import_result import ImportResult
from longshore_client.errors import ClientError
from longshore_client.image import FullImage
from longshore_client.import_details import ImportDetails
from longshore_client.import_request import ImportRequest
from longshore_client.longshore_client import LongshoreClient
from longshore_client.patience import Patience, Trouble
from longshore_client.started_import import StartedImport

# Requests under way at once, whatever the list's length.
MAX_REQUESTS = 8
# Imports are taken up about in the list's order, so the first open ones are those that move. They are looked at
# often, the others so that about this many looks a second come together. Seconds; looks a second.
FRONT = 16
FRONT_SECONDS = 1.0
OTHERS_RATE = 10.0

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class Entry:
    """One line of the list, and how far it has come. `done`: there is nothing more to wait for."""

    request: ImportRequest
    started: StartedImport | None = None
    details: ImportDetails | None = None
    image: FullImage | None = None
    error: ClientError | None = None
    done: bool = False

    @property
    def open(self) -> bool:
        """Whether an import is under way, as far as is known."""
        if self.started is None or self.started.already or self.error:
            return False
        return self.details is None or not self.details.final

    def result(self) -> ImportResult:
        """Return how it stands."""
        return ImportResult(
            source=self.request.source,
            started=self.started,
            details=self.details,
            image=self.image,
            error=self.error,
        )


@dataclass(slots=True, kw_only=True)
class Batch:
    """Starts every import of a list and, with `wait`, looks at it until it has ended; `told` is called with each."""

    client: LongshoreClient
    entries: Sequence[Entry]
    wait: bool
    patience: float
    told: Callable[[Entry], None]
    trouble: Trouble
    _stopped: bool = False
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_REQUESTS))
    _starting: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Carry all of it out; an import's own error is kept with its entry."""
        async with asyncio.TaskGroup() as group:
            for entry in self.entries:
                group.create_task(self._carry_out(entry))

    async def stop(self) -> None:
        """Start nothing more, and return when it is known of each import whether it has begun."""
        self._stopped = True
        await asyncio.gather(*self._starting, return_exceptions=True)

    async def cancel(self) -> None:
        """Cancel what is under way."""
        await asyncio.gather(*(self._cancel(entry) for entry in self.entries))

    async def _carry_out(self, entry: Entry) -> None:
        try:
            await self._start(entry)
            while self.wait and entry.open:
                await asyncio.sleep(self._pause(entry))
                entry.details = await self._ask(partial(self.client.details, _image_id(entry)))
            entry.image = await self._ask(partial(self.client.image, _image_id(entry)))
        except ClientError as error:
            entry.error = error
        entry.done = True
        self.told(entry)

    async def _start(self, entry: Entry) -> None:
        """Start an import; what breaks the run off does not break this off, or nobody would know what has begun."""
        task = asyncio.create_task(self._send(entry))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        await asyncio.shield(task)

    async def _send(self, entry: Entry) -> None:
        async def start() -> None:
            if not self._stopped:
                entry.started = await self.client.start(entry.request)

        await self._ask(start)

    async def _ask(self, question: Callable[[], Awaitable[_T]]) -> _T:
        """Ask the API when there is a place, again while it is away."""
        patience = Patience(self.patience, self.trouble)
        while True:
            try:
                async with self._places:
                    return await question()
            except ClientError as error:
                if self._stopped:
                    raise
                await patience.bear(error)

    def _pause(self, entry: Entry) -> float:
        waiting = [other for other in self.entries if other.open]
        front = entry in waiting[:FRONT]
        return FRONT_SECONDS if front else max(FRONT_SECONDS, len(waiting) / OTHERS_RATE)

    async def _cancel(self, entry: Entry) -> None:
        if not entry.open:
            return
        try:
            async with self._places:
                entry.details = await cancel_for_good(self.client, _image_id(entry))
        except ClientError as error:
            entry.error = error


def _image_id(entry: Entry) -> int:
    assert entry.started, "asked for what has been started"  # noqa: S101 - for the type
    return entry.started.image_id
