"""The worker's API client, which can hold an import at a point or silence a worker."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

from import_worker.adapters.api_client import ApiClient
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptStart, AttemptTerms
from shared.messages.progress_report import ProgressReport, ReportedState


class Point(StrEnum):
    """A point at which an import can be held."""

    CLAIMED = "claimed"
    """A worker has claimed the import; the API has not been asked for the attempt's terms."""
    COPIED = "copied"
    """All blobs and children are in the target; the worker has not requested permission to write the tag."""
    FENCED = "fenced"
    """The API has permitted the tag; it is not written yet."""
    WRITTEN = "written"
    """The tag is written; the API does not know it yet."""


# An import ends with these states; none of them waits for a deletion.
_ENDS = frozenset({ReportedState.READY, ReportedState.FAILED, ReportedState.HANDED_BACK})


class Gate(ApiClient):
    """Forwards reports. `on_permitted` is called for every permission to write a tag, with import name and digest.

    `on_ready` is called for every import that is ready.
    """

    on_permitted: Callable[[str, str], None]
    on_ready: Callable[[str], None]

    def open_for(self, on_permitted: Callable[[str, str], None], on_ready: Callable[[str], None]) -> None:
        """Start a new sequence."""
        self.on_permitted, self.on_ready = on_permitted, on_ready
        self.held: dict[str, Point] = {}
        self._points: dict[str, Point | None] = {}
        self._known: dict[str, asyncio.Event] = {}
        self._arrived: dict[str, asyncio.Event] = {}
        self._released: dict[str, asyncio.Event] = {}
        # Imports that are held after their permission.
        self.waiting: set[str] = set()
        self._silent: set[tuple[str, int]] = set()
        self._stopped: dict[str, asyncio.Event] = {}

    def expect(self, name: str, point: Point | None) -> None:
        """Set the point at which the import is held. Before this call, the import waits at its first point."""
        if name not in self._points:
            self._points[name] = point
            if point:
                self.held[name] = point
            self._event(self._known, name).set()

    async def reached(self, name: str, point: Point) -> None:
        """Wait until a held import has reached its point."""
        await self._event(self._arrived, f"{name} {point}").wait()

    async def stopped(self, name: str) -> None:
        """Wait until the import has ended, or the API has refused a report of its worker."""
        await self._event(self._stopped, name).wait()

    def release(self, name: str) -> None:
        """Release a held import, also in later attempts."""
        self._points[name] = None
        self.held.pop(name, None)
        self.waiting.discard(name)
        self._event(self._released, name).set()

    def hold_again(self, name: str, point: Point) -> None:
        """Hold the import's next attempt at this point instead."""
        self._points[name] = point
        self.waiting.discard(name)

    def silence(self, name: str, attempt: int) -> None:
        """Drop all later reports of this attempt: its worker is dead."""
        self._silent.add((name, attempt))

    async def begin(self, name: str, start: AttemptStart) -> AttemptTerms:
        """Request the attempt's terms after its point."""
        await self._pass(name, Point.CLAIMED)
        return await super().begin(name, start)

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        """Deliver one report after its point."""
        if report.state is ReportedState.TAGGING:
            await self._pass(name, Point.COPIED)
        if report.state is ReportedState.READY:
            await self._pass(name, Point.WRITTEN)
        if (name, report.attempt) in self._silent:
            raise LongshoreError(Code.API_UNAVAILABLE, "This worker is dead.")
        try:
            await super().put_progress(name, report)
        except LongshoreError:
            self._event(self._stopped, name).set()
            raise
        if report.state is ReportedState.READY:
            self.on_ready(name)
        if report.state in _ENDS:
            self._event(self._stopped, name).set()
        if report.state is ReportedState.TAGGING and report.tag_digest:
            self.on_permitted(name, report.tag_digest)
            self.waiting.add(name)
            await self._pass(name, Point.FENCED)

    async def _pass(self, name: str, point: Point) -> None:
        await self._event(self._known, name).wait()
        if self._points[name] is point:
            self._event(self._arrived, f"{name} {point}").set()
            await self._event(self._released, name).wait()

    def _event(self, events: dict[str, asyncio.Event], name: str) -> asyncio.Event:
        return events.setdefault(name, asyncio.Event())
