"""How the worker reacts to the API's answers to reports."""

import pytest

from import_worker.adapters.api_client import open_api_client
from import_worker.reporter import SupersededError
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.image_content import ImageContent
from tests.scripted.hostile import Answer, HostileRegistry

DIGEST = "sha256:" + 64 * "a"
PATH = "/api/v1/images:import/app-1.0-x/progress"
STOP = Answer(headers={"Content-Type": "application/json"}, body=b'{"action": "stop"}')
REPORTS = {
    ReportedState.RUNNING: {},
    ReportedState.TAGGING: {"tag_digest": DIGEST},
    ReportedState.READY: {
        "content": ImageContent(
            source_digest=DIGEST,
            digest=DIGEST,
            size=1,
            architecture="amd64",
            os="linux",
            platforms=("linux/amd64",),
            include_type="full",
        )
    },
    ReportedState.FAILED: {"error": ReportedError(code=Code.TARGET_REFUSED, detail="No.")},
    ReportedState.HANDED_BACK: {},
}


async def send(answer: Answer, state: ReportedState) -> None:
    """Send a report of this state to an API that gives this answer."""
    report = ProgressReport(attempt=1, sequence=1, state=state, **REPORTS[state])  # type: ignore[arg-type]
    async with HostileRegistry() as api, open_api_client(api.url, "token") as client:
        api.on("PUT", PATH, answer)
        await client.put_progress("app-1.0-x", report)


@pytest.mark.parametrize("state", [ReportedState.RUNNING, ReportedState.TAGGING])
async def test_a_worker_that_has_to_stop_has_lost_its_import(state: ReportedState) -> None:
    """The import was cancelled, deleted, or finished by another attempt."""
    with pytest.raises(SupersededError):
        await send(STOP, state)


@pytest.mark.parametrize("state", [ReportedState.READY, ReportedState.FAILED, ReportedState.HANDED_BACK])
async def test_an_end_that_the_api_took_is_no_loss(state: ReportedState) -> None:
    """The API answers "stop" to an accepted outcome; the worker logs that outcome and not a lost import."""
    await send(STOP, state)


@pytest.mark.parametrize("state", list(ReportedState))
@pytest.mark.parametrize("code", ["import_superseded", "import_not_found"])
async def test_an_import_that_is_another_attempts_is_lost_at_any_report(code: str, state: ReportedState) -> None:
    """The API has accepted none of the report."""
    with pytest.raises(SupersededError):
        await send(Answer(status=409, body=b'{"code": "%s"}' % code.encode()), state)


async def test_an_api_in_trouble_is_asked_again() -> None:
    """The error code is retryable."""
    with pytest.raises(LongshoreError) as caught:
        await send(Answer(status=503, body=b'{"code": "database_unavailable"}'), ReportedState.RUNNING)
    assert caught.value.code == "api_unavailable"
