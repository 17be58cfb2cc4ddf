"""A worker that reports on a claimed import, as the tests drive it."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from tests.api_service.api import Answer, Api

A, B = "sha256:" + 64 * "a", "sha256:" + 64 * "b"
CONTENT = ImageContent(
    source_digest=A,
    digest=B,
    size=4711,
    architecture="amd64",
    os="linux",
    platforms=("linux/amd64", "linux/arm64"),
    include_type="full",
    description="From the image's labels",
)


def copying(offset: int) -> LayerProgress:
    return LayerProgress(size=1000, offset=offset, status=LayerStatus.DOWNLOADING, transfer=Transfer.COPIED)


@dataclass
class Worker:
    """Reports on one claimed import, as the worker does."""

    api: Api
    name: str
    image_id: int
    attempt: int
    sequence: Iterator[int]

    def make(self, state: ReportedState = ReportedState.RUNNING, **more: Any) -> ProgressReport:
        token = self.api.claim_tokens.get((self.name, self.attempt))
        return ProgressReport(
            attempt=self.attempt, claim_token=token, sequence=next(self.sequence), state=state, **more
        )

    async def send(self, state: ReportedState = ReportedState.RUNNING, **more: Any) -> Answer:
        return await self.api.report(self.name, self.make(state, **more))

    async def fail(self, code: str, retry_after: float | None = None) -> Answer:
        error = ReportedError(code=Code(code), detail=f"It was {code}.", retry_after=retry_after)
        return await self.send(ReportedState.FAILED, error=error)

    async def details(self) -> Any:
        return await self.api.get(f"/images/{self.image_id}/importing-details")

    async def image(self) -> Any:
        return await self.api.get(f"/images/{self.image_id}")

    async def due_now(self) -> None:
        """Let a waiting import's time come."""
        await self.api.execute("UPDATE imports SET due_at = now()")

    async def claim_again(self) -> None:
        self.attempt = (await self.api.claim(self.name)).attempt
        self.sequence = itertools.count(1)


async def start(api: Api, image_source: str) -> Worker:
    started = await api.start({"source": image_source})
    claimed = await api.claim(started["name"])
    return Worker(api, started["name"], started["imageId"], claimed.attempt, itertools.count(1))


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code if answer.status >= 400 else answer.body["action"]
