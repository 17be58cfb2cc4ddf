"""An attempt whose reports the API refuses for good ends at once, with the API's reason."""

import asyncio

import pytest

from import_worker import reporter as reporting
from import_worker.endpoints import CopyEndpoints
from import_worker.reporter import RefusedError, Reporter
from import_worker.run_import import run_import
from shared.db.import_states import ClaimedImport
from shared.errors.codes import Code
from shared.messages.progress_report import ProgressReport, ReportedState
from shared.model.progress import LayerProgress, LayerStatus
from shared.oci.digest import Digest

CLAIMED = ClaimedImport(
    name="app-1.0-x",
    attempt=1,
    source="quay.io/team/app:1.0",
    source_digest=None,
    platforms=(),
    repository="team/app",
    tag="1.0",
)
LAYER = LayerProgress(size=2**63 - 1, offset=0, status=LayerStatus.PENDING)


class RefusingApi:
    """An API that refuses every report with layers."""

    def __init__(self) -> None:
        self.taken: list[ProgressReport] = []

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        if report.layers:
            raise RefusedError("400 validation_failed: The layers' sizes together are beyond 64 bits.")
        self.taken.append(report)


async def test_a_refused_report_ends_the_attempt_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy, which would go on for hours, is stopped."""
    monkeypatch.setattr(reporting, "REPORT_INTERVAL", 0.01)
    api = RefusingApi()
    reporter = Reporter(api, CLAIMED.name, CLAIMED.attempt, heartbeat=3_600)
    stopped = asyncio.Event()

    async def copy_for_hours(_: ClaimedImport) -> CopyEndpoints:
        try:
            while True:
                for letter in (b"a", b"b"):
                    reporter.show(Digest.of(letter), LAYER)
                await asyncio.sleep(0.01)
        finally:
            stopped.set()

    async with asyncio.timeout(60):
        await run_import(CLAIMED, copy_for_hours, reporter, layers=1)
    assert stopped.is_set()
    end = api.taken[-1]
    assert end.state is ReportedState.FAILED
    assert end.error
    assert end.error.code is Code.API_REFUSED
    assert "beyond 64 bits" in end.error.detail
