"""Reports an import's progress to the API: on a timer, and at once at every change of state.

A report is also the heartbeat that renews the lease; its response says whether the worker continues or stops.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Protocol
from uuid import UUID

import structlog

from import_worker.reported_error import reported_error, unknown_error
from import_worker.until_accepted import RETRY_INTERVAL, until_accepted
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress
from shared.oci.digest import Digest
from shared.tracing.spans import step

# Between two reports of changes. Seconds; a shorter interval looks the same to a person and loads the API's database.
REPORT_INTERVAL = 0.5

_log = structlog.stdlib.get_logger(__name__)


class SupersededError(Exception):
    """This attempt no longer holds the import: it was cancelled, deleted, finished, or claimed by another worker."""


class RefusedError(LongshoreError):
    """The API refuses a request for good: the same one would be refused again. `reason` is its answer."""

    def __init__(self, reason: str) -> None:
        super().__init__(Code.API_REFUSED, f"The API refused a request of the worker: {reason}")


class ProgressApi(Protocol):
    """The API's progress endpoint."""

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        """Deliver one report.

        Raises SupersededError if the API answers that the worker has to stop, RefusedError if the API will never accept
        the report, and LongshoreError if it did not accept it now.
        """
        ...


class Reporter:
    """Reports the progress of one attempt."""

    def __init__(
        self, api: ProgressApi, name: str, attempt: int, *, heartbeat: float, claim_token: UUID | None = None
    ) -> None:
        """Report on this attempt, of the claim with this token, at least every `heartbeat` seconds."""
        self._api = api
        self._name = name
        self._attempt = attempt
        self._claim_token = claim_token
        self._heartbeat = heartbeat
        self._sequence = 0
        self._source_digest: str | None = None
        self._changed: dict[Digest, LayerProgress] = {}
        self._permitted_until = float("-inf")
        self._refused = False
        self._one_at_a_time = asyncio.Lock()

    def pin(self, digest: Digest) -> None:
        """Record the digest that is copied, so that a later attempt copies the same image."""
        self._source_digest = str(digest)

    def show(self, digest: Digest, layer: LayerProgress) -> None:
        """Record the progress of a blob for the next report."""
        self._changed[digest] = layer

    async def keep_reporting(self) -> None:
        """Report until cancelled.

        Raises SupersededError if the API answers that the worker has to stop, and RefusedError if it refuses a report
        for good: to repeat that one until the lease is lost would hide the reason.
        """
        last = monotonic()
        while True:
            await asyncio.sleep(REPORT_INTERVAL)
            if not self._changed and monotonic() - last < self._heartbeat:
                continue
            try:
                await self._send(ReportedState.RUNNING)
                last = monotonic()
            except RefusedError:
                raise
            except LongshoreError as error:
                _log.warning("report.not_delivered", error=str(error))
                await asyncio.sleep(RETRY_INTERVAL)

    async def fence(self, digest: Digest) -> None:
        """Have the API permit that the tag is written with this digest; raises SupersededError if it does not.

        A permission holds for the time of a heartbeat, well within the lease that it renews: a worker that was stopped
        for longer asks again. While an image is being deleted in the repository, the API makes the worker wait.
        """
        if monotonic() >= self._permitted_until:
            await self._send_until_accepted(lambda: self._request_permission(digest))

    async def ready(self, content: ImageContent) -> None:
        """Report that the image is in the target."""
        await self._send_until_accepted(lambda: self._send(ReportedState.READY, content=content))

    async def failed(self, error: LongshoreError) -> None:
        """Report why this attempt failed; the API decides whether there is another one."""
        try:
            await self._send_end(ReportedState.FAILED, reported_error(error))
        except RefusedError as refused:
            _log.warning("report.refused", error=str(refused))
            await self._send_end(ReportedState.FAILED, unknown_error(error, refused))

    async def handed_back(self) -> None:
        """Hand the import back. The caller limits the time, because the lease runs out in any case."""
        await self._send_end(ReportedState.HANDED_BACK)

    async def _send_end(self, state: ReportedState, error: ReportedError | None = None) -> None:
        """Report the attempt's end; without the blobs' progress if that is refused: the end matters more."""
        try:
            await self._send_until_accepted(lambda: self._send(state, error=error))
        except RefusedError as refused:
            _log.warning("report.refused", error=str(refused))
            await self._send_until_accepted(lambda: self._send(state, error=error))

    async def _request_permission(self, digest: Digest) -> None:
        requested_at = monotonic()
        await self._send(ReportedState.TAGGING, tag_digest=digest)
        self._permitted_until = requested_at + self._heartbeat

    async def _send_until_accepted(self, send: Callable[[], Awaitable[None]]) -> None:
        await until_accepted(send, event="report.not_delivered")

    async def _send(
        self,
        state: ReportedState,
        *,
        error: ReportedError | None = None,
        content: ImageContent | None = None,
        tag_digest: Digest | None = None,
    ) -> None:
        """Send the changes; if the API does not accept them now, they are part of the next report.

        After a report that the API refused for good, reports have neither the blobs' progress nor the source's digest.
        """
        async with self._one_at_a_time:
            changed, self._changed = ({} if self._refused else self._changed), {}
            self._sequence += 1
            report = ProgressReport(
                attempt=self._attempt,
                claim_token=self._claim_token,
                sequence=self._sequence,
                state=state,
                layers={str(digest): layer for digest, layer in changed.items()},
                source_digest=None if self._refused else self._source_digest,
                error=error,
                content=content,
                tag_digest=str(tag_digest) if tag_digest else None,
            )
            try:
                with step("report", {"longshore.state": state.value, "longshore.sequence": self._sequence}):
                    await self._api.put_progress(self._name, report)
            except RefusedError:
                self._refused = True
                raise
            except BaseException:
                self._changed = {**changed, **self._changed}
                raise
