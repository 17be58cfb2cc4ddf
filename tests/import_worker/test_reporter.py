"""Reports while the API is away: sent again until the API accepts or refuses them.

A report that the API refuses for good ends the attempt, whose end is reported without the refused part.
"""

import asyncio
from collections.abc import Callable

import pytest

from import_worker import reporter as reporting
from import_worker.reporter import RefusedError, Reporter
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_DETAIL_LENGTH, ProgressReport, ReportedState
from shared.model.progress import LayerProgress, LayerStatus
from shared.oci.digest import Digest


class RestartedApi:
    """An API that is away for a few requests."""

    def __init__(self, away: int, code: Code = Code.API_UNAVAILABLE) -> None:
        self._away = away
        self._code = code
        self.taken: list[ProgressReport] = []
        self.asked = 0

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        self.asked += 1
        if self.asked <= self._away:
            raise LongshoreError(self._code, "Not now.")
        self.taken.append(report)


async def test_an_import_is_handed_back_although_the_api_restarts() -> None:
    """Otherwise no worker would claim it before its lease has run out."""
    api = RestartedApi(away=2)
    await Reporter(api, "app-1.0-x", 1, heartbeat=10).handed_back()
    assert [report.state for report in api.taken] == [ReportedState.HANDED_BACK]


async def test_a_report_that_the_api_refuses_is_not_sent_again() -> None:
    """Another try would get the same answer."""
    api = RestartedApi(away=5, code=Code.API_REFUSED)
    with pytest.raises(LongshoreError, match="Not now"):
        await Reporter(api, "app-1.0-x", 1, heartbeat=10).handed_back()
    assert api.asked == 1


DIGEST = Digest.of(b"layer")
LAYER = LayerProgress(size=2**63 - 1, offset=0, status=LayerStatus.PENDING)


class RefusingApi:
    """An API that refuses some reports for good."""

    def __init__(self, refuses: Callable[[ProgressReport], bool]) -> None:
        self._refuses = refuses
        self.taken: list[ProgressReport] = []
        self.refused: list[ProgressReport] = []

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        if self._refuses(report):
            self.refused.append(report)
            raise RefusedError("400 validation_failed: No.")
        self.taken.append(report)


def refusing(refuses: Callable[[ProgressReport], bool]) -> tuple[RefusingApi, Reporter]:
    api = RefusingApi(refuses)
    return api, Reporter(api, "app-1.0-x", 1, heartbeat=10)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "REPORT_INTERVAL", 0.01)


@pytest.mark.usefixtures("quick")
async def test_progress_that_the_api_refuses_for_good_ends_the_attempt() -> None:
    """It is not repeated until the lease is lost, and the end says why."""
    api, reporter = refusing(lambda report: bool(report.layers))
    reporter.show(DIGEST, LAYER)
    with pytest.raises(RefusedError, match="400 validation_failed: No") as refused:
        async with asyncio.timeout(60):
            await reporter.keep_reporting()
    assert len(api.refused) == 1
    reporter.show(DIGEST, LAYER)
    await reporter.failed(refused.value)
    (end,) = api.taken
    assert len(api.refused) == 1
    assert (end.state, end.layers) == (ReportedState.FAILED, {})
    assert end.error
    assert (end.error.code, "400 validation_failed: No." in end.error.detail) == (Code.API_REFUSED, True)


@pytest.mark.usefixtures("quick")
async def test_progress_that_the_api_does_not_take_now_is_repeated() -> None:
    """Overload, a restart and a token that is being replaced pass."""
    api = RestartedApi(away=1, code=Code.API_REFUSED)
    reporter = Reporter(api, "app-1.0-x", 1, heartbeat=10)
    reporter.show(DIGEST, LAYER)
    running = asyncio.create_task(reporter.keep_reporting())
    async with asyncio.timeout(60):
        while not api.taken:  # noqa: ASYNC110 - nothing here could set an event
            await asyncio.sleep(0.01)
    running.cancel()
    assert api.taken[0].layers == {str(DIGEST): LAYER}


@pytest.mark.parametrize("end", ["failed", "handed_back"])
async def test_an_end_is_reported_without_the_progress_that_is_refused(end: str) -> None:
    """The end matters more: otherwise the lease would run out, and the user see a lost worker."""
    api, reporter = refusing(lambda report: bool(report.layers or report.source_digest))
    reporter.pin(DIGEST)
    reporter.show(DIGEST, LAYER)
    if end == "failed":
        await reporter.failed(LongshoreError(Code.SOURCE_NOT_FOUND, "Gone."))
    else:
        await reporter.handed_back()
    assert [report.state.value for report in api.taken] == [end]


@pytest.mark.parametrize(
    ("code", "reported"), [(Code.SOURCE_NOT_FOUND, Code.API_REFUSED), (Code.SOURCE_STALLED, Code.INTERNAL_ERROR)]
)
async def test_an_error_that_an_older_api_does_not_know_is_reported_as_another(code: Code, reported: Code) -> None:
    """The text has the real one; whether another attempt makes sense stays as it is."""
    api, reporter = refusing(lambda report: report.error is not None and report.error.code is code)
    await reporter.failed(LongshoreError(code, "The real reason."))
    (end,) = api.taken
    assert end.error
    assert end.error.code is reported
    assert f"{code}: The real reason." in end.error.detail
    assert LongshoreError(code, "").kind.retryable == LongshoreError(reported, "").kind.retryable


async def test_an_error_with_any_text_and_wait_is_in_the_form_of_reports() -> None:
    """A registry's answer is part of it: the API must not refuse the report for that."""
    api, reporter = refusing(lambda _: False)
    text = "a\0b\ud800c" + "x" * 2 * MAX_DETAIL_LENGTH
    await reporter.failed(LongshoreError(Code.SOURCE_RATE_LIMITED, text, retry_after=float("nan")))
    error = api.taken[0].error
    assert error
    assert error.detail.startswith("a\N{REPLACEMENT CHARACTER}b?cxx")
    assert (len(error.detail), error.retry_after) == (MAX_DETAIL_LENGTH, None)
