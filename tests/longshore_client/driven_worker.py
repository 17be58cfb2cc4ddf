"""A worker whose reports the test sends."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from tests.api_service.api import Api, until

MEGABYTE = 1_000_000


def digest(letter: str) -> str:
    return "sha256:" + 64 * letter


def moving(size: int, offset: int) -> LayerProgress:
    return LayerProgress(size=size, offset=offset, status=LayerStatus.DOWNLOADING, transfer=Transfer.COPIED)


def arrived(size: int, transfer: Transfer = Transfer.COPIED) -> LayerProgress:
    return LayerProgress(size=size, offset=size, status=LayerStatus.COMPLETED, transfer=transfer)


@dataclass
class DrivenWorker:
    """Claims one import at a time and reports its progress."""

    api: Api
    name: str = ""
    attempt: int = 0
    sequence: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def claim(self, repository: str) -> "DrivenWorker":
        """Wait for an import from this source repository, and claim it."""

        async def is_queued() -> bool:
            find = "SELECT name FROM imports WHERE source LIKE '%' || $1 || '%' AND state = 'queued'"
            self.name = await self.api.value(find, repository) or ""
            return bool(self.name)

        await until(is_queued)
        self.attempt = (await self.api.claim(self.name)).attempt
        self.sequence = itertools.count(1)
        return self

    async def report(self, state: ReportedState = ReportedState.RUNNING, **layers: LayerProgress) -> None:
        """Report layers, each named by the letter that its digest repeats."""
        await self._send(state, layers={digest(letter): layer for letter, layer in layers.items()})

    async def ready(self, letter: str = "f", size: int = 3 * MEGABYTE) -> None:
        content = ImageContent(
            source_digest=digest(letter),
            digest=digest(letter),
            size=size,
            architecture="amd64",
            os="linux",
            platforms=("linux/amd64",),
            include_type="full",
        )
        await self._send(ReportedState.READY, content=content)

    async def fail(self, code: str, detail: str) -> None:
        await self._send(ReportedState.FAILED, error=ReportedError(code=Code(code), detail=detail))

    async def _send(self, state: ReportedState, **more: object) -> None:
        report = ProgressReport(attempt=self.attempt, sequence=next(self.sequence), state=state, **more)  # type: ignore[arg-type]
        answer = await self.api.report(self.name, report)
        assert answer.status == 200, answer
