"""Tells the API how an import stands: on a timer, and at once at every change of state.

A report doubles as the heartbeat that renews the lease; its answer tells the worker to go on or to stop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol

import structlog

from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress
from shared.oci.digest import Digest
from shared.tracing.spans import step

# How often changes are told. Seconds; a person sees no difference below, the API's database would feel it.
REPORT_INTERVAL = 0.5
# A report that could not be delivered is tried again after so long. Seconds.
RETRY_INTERVAL = 1.0
# How long an outcome is offered to an API that does not answer. After that the lease has long run out and the API
# decides by itself. Seconds.
OUTCOME_PATIENCE = 300.0

_log = structlog.stdlib.get_logger(__name__)


class SupersededError(Exception):
    """The import is no longer this attempt's: cancelled, deleted, finished, or claimed by another worker."""


class ProgressApi(Protocol):
    """The API's progress endpoint."""

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        """Deliver one report.

        Raises SupersededError when told to stop, and LongshoreError when the API did not take it.
        """
        ...


class Reporter:
    """The progress of one attempt; one of these per claim."""

    def __init__(self, api: ProgressApi, name: str, attempt: int, *, heartbeat: float) -> None:
        """Report on this attempt at least every `heartbeat` seconds."""
        self._api = api
        self._name = name
        self._attempt = attempt
        self._heartbeat = heartbeat
        self._sequence = 0
        self._source_digest: str | None = None
        self._changed: dict[Digest, LayerProgress] = {}
        self._leave_until = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    def pin(self, digest: Digest) -> None:
        """Take note of what is being copied, so that a later attempt copies the same."""
        self._source_digest = str(digest)

    def show(self, digest: Digest, layer: LayerProgress) -> None:
        """Take note of how far a blob is; the next report tells it."""
        self._changed[digest] = layer

    async def keep_reporting(self) -> None:
        """Report until cancelled; raises SupersededError when told to stop."""
        last = monotonic()
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            if not self._changed and monotonic() - last < self._heartbeat:
                continue
            try:
                await self._send(ReportedState.RUNNING)
                last = monotonic()
            except LongshoreError as error:
                _log.warning("progress not delivered", error=str(error))
                await asyncio.sleep(RETRY_INTERVAL)

    async def fence(self, digest: Digest) -> None:
        """Ask whether the tag may be pointed to this digest; raises SupersededError where it may not.

        A good answer holds for a heartbeat's time, far within the lease that comes with it: a worker that stood still
        for longer asks again. While an image is being deleted in the repository, the API lets us wait.
        """
        if monotonic() >= self._leave_until:
            await self._send_until_taken(lambda: self._ask_leave(digest))

    async def ready(self, content: ImageContent) -> None:
        """Tell that the image is in the target."""
        await self._send_until_taken(lambda: self._send(ReportedState.READY, content=content))

    async def failed(self, error: LongshoreError) -> None:
        """Tell why this attempt ended; whether there is another one is the API's decision."""
        told = ReportedError(code=error.code, detail=error.detail, retry_after=error.retry_after)
        await self._send_until_taken(lambda: self._send(ReportedState.FAILED, error=told))

    async def handed_back(self) -> None:
        """Give the import back; who waits for it decides how long, for the lease runs out by itself in the end."""
        await self._send_until_taken(lambda: self._send(ReportedState.HANDED_BACK))

    async def _ask_leave(self, digest: Digest) -> None:
        asked = monotonic()
        await self._send(ReportedState.TAGGING, tag_digest=digest)
        self._leave_until = asked + self._heartbeat

    async def _send_until_taken(self, send: Callable[[], Awaitable[None]]) -> None:
        deadline = monotonic() + OUTCOME_PATIENCE
        while True:
            try:
                return await send()
            except LongshoreError as error:
                if monotonic() > deadline or not error.kind.retryable:
                    raise
                _log.warning("report not delivered", error=str(error))
            await asyncio.sleep(RETRY_INTERVAL)

    async def _send(
        self,
        state: ReportedState,
        *,
        error: ReportedError | None = None,
        content: ImageContent | None = None,
        tag_digest: Digest | None = None,
    ) -> None:
        """Send what has changed; what is not taken stays to be told next time."""
        async with self._one_at_a_time:
            changed, self._changed = self._changed, {}
            self._sequence += 1
            report = ProgressReport(
                attempt=self._attempt,
                sequence=self._sequence,
                state=state,
                layers={str(digest): layer for digest, layer in changed.items()},
                source_digest=self._source_digest,
                error=error,
                content=content,
                tag_digest=str(tag_digest) if tag_digest else None,
            )
            try:
                with step("report", {"longshore.state": state.value, "longshore.sequence": self._sequence}):
                    await self._api.put_progress(self._name, report)
            except BaseException:
                self._changed = {**changed, **self._changed}
                raise
