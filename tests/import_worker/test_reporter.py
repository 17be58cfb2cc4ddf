"""Reports while the API is away: sent again until the API accepts or refuses them."""

import pytest

from import_worker.reporter import Reporter
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedState


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
