"""The reporter's leave to write a tag: what it costs, and how long it holds."""

import asyncio

import pytest

from import_worker.reporter import Reporter, SupersededError
from shared.messages import ProgressReport, ReportedState
from shared.oci.digest import Digest

DIGEST = Digest.parse("sha256:" + "a" * 64)
HEARTBEAT = 0.2


class PlayedApi:
    """Takes reports until the import is another's."""

    def __init__(self) -> None:
        self.taken: list[ReportedState] = []
        self.superseded = False

    async def put_progress(self, _name: str, report: ProgressReport) -> None:
        if self.superseded:
            raise SupersededError
        self.taken.append(report.state)


async def test_a_leave_holds_for_a_heartbeat() -> None:
    """Asked several times in a row, as for each time that a tag is sent, it costs one request."""
    api = PlayedApi()
    reporter = Reporter(api, "import", 1, heartbeat=HEARTBEAT)
    for _ in range(3):
        await reporter.fence(DIGEST)
    assert api.taken == [ReportedState.TAGGING]


async def test_a_worker_that_stood_still_asks_for_leave_again() -> None:
    """Its lease may have run out meanwhile, and the import be another's."""
    api = PlayedApi()
    reporter = Reporter(api, "import", 1, heartbeat=HEARTBEAT)
    await reporter.fence(DIGEST)
    await asyncio.sleep(HEARTBEAT)
    api.superseded = True
    with pytest.raises(SupersededError):
        await reporter.fence(DIGEST)
