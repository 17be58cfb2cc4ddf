"""Many imports at once, with a limited number of requests at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from longshore_client.backoff import Backoff, OnRetry
from longshore_client.client import LongshoreClient
from longshore_client.errors import ApiError, ClientError
from longshore_client.images import FullImage
from longshore_client.import_details import ImportDetails
from longshore_client.import_request import ImportRequest, StartedImport
from longshore_client.import_result import ImportResult

# Requests at a time, for a list of any length.
MAX_REQUESTS = 8
# The limit of a user's open imports: the list's own imports make room as they end.
_NO_ROOM = "import_limit_reached"
# Workers claim imports about in the list's order, so the first open imports are the ones that move. The client polls
# those often, and the others so that all of them together cause about OTHERS_RATE requests. Imports; seconds; requests
# per second.
FRONT = 16
FRONT_SECONDS = 1.0
OTHERS_RATE = 10.0

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class BatchEntry:
    """One import of the list and its progress. `done` means that the batch does nothing more for it."""

    request: ImportRequest
    started: StartedImport | None = None
    details: ImportDetails | None = None
    image: FullImage | None = None
    error: ClientError | None = None
    done: bool = False

    @property
    def open(self) -> bool:
        """Whether the import is under way, by the newest details."""
        if self.started is None or self.started.already or self.error:
            return False
        return self.details is None or not self.details.final

    def result(self) -> ImportResult:
        """Return the present result."""
        return ImportResult(
            source=self.request.source,
            started=self.started,
            details=self.details,
            image=self.image,
            error=self.error,
        )


@dataclass(slots=True, kw_only=True)
class Batch:
    """Starts every import of a list and, with `wait`, polls each to its end. Calls `on_done` with each entry."""

    client: LongshoreClient
    entries: Sequence[BatchEntry]
    wait: bool
    retry_for: float
    on_done: Callable[[BatchEntry], None]
    on_retry: OnRetry
    _stopped: bool = False
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_REQUESTS))
    # Refused starts wait in these places: the rest of a long list does not ask meanwhile.
    _starts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_REQUESTS))
    _starting: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Run all imports. The error of one import is kept in its entry and does not affect the others."""
        async with asyncio.TaskGroup() as group:
            for entry in self.entries:
                group.create_task(self._run_entry(entry))

    async def stop(self) -> None:
        """Start no more imports, and wait for the answers of the requests that are under way."""
        self._stopped = True
        await asyncio.gather(*self._starting, return_exceptions=True)

    async def cancel(self) -> None:
        """Cancel the imports that are under way."""
        await asyncio.gather(*(self._cancel(entry) for entry in self.entries))

    async def _run_entry(self, entry: BatchEntry) -> None:
        try:
            await self._start(entry)
            while self.wait and entry.open:
                await asyncio.sleep(self._pause(entry))
                entry.details = await self._call(partial(self.client.details, _image_id(entry)))
            entry.image = await self._call(partial(self.client.image, _image_id(entry)))
        except ClientError as error:
            entry.error = error
        entry.done = True
        self.on_done(entry)

    async def _start(self, entry: BatchEntry) -> None:
        """Start an import. Cancelling the run does not cancel the request, so that its outcome is always known."""
        task = asyncio.create_task(self._send(entry))
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)
        await asyncio.shield(task)

    async def _send(self, entry: BatchEntry) -> None:
        async def start() -> None:
            if not self._stopped:
                entry.started = await self.client.start(entry.request)

        async with self._starts:
            await self._call_when_there_is_room(start)

    async def _call_when_there_is_room(self, start: Callable[[], Awaitable[None]]) -> None:
        """Call the API, for as long as other imports of the user leave no room."""
        while True:
            try:
                return await self._call(start)
            except ApiError as error:
                if self._stopped or error.code != _NO_ROOM:
                    raise
                self.on_retry(error)
                await asyncio.sleep(error.problem.retry_after or FRONT_SECONDS)

    async def _call(self, operation: Callable[[], Awaitable[_T]]) -> _T:
        """Call the API when a slot is free, and again while the API is away."""
        backoff = Backoff(self.retry_for, self.on_retry)
        while True:
            try:
                async with self._slots:
                    return await operation()
            except ClientError as error:
                if self._stopped:
                    raise
                await backoff.wait_or_raise(error)

    def _pause(self, entry: BatchEntry) -> float:
        waiting = [other for other in self.entries if other.open]
        if entry in waiting[:FRONT]:
            return FRONT_SECONDS
        return max(FRONT_SECONDS, len(waiting) / OTHERS_RATE)

    async def _cancel(self, entry: BatchEntry) -> None:
        if not entry.open:
            return
        try:
            async with self._slots:
                entry.details = await self.client.cancel_and_wait(_image_id(entry))
        except ClientError as error:
            entry.error = error


def _image_id(entry: BatchEntry) -> int:
    assert entry.started, "only started imports are polled"  # noqa: S101 - for the type
    return entry.started.image_id
