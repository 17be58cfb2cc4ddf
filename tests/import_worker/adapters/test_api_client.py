"""How the worker reacts to the API's answers to an attempt's start and to reports."""

import orjson
import pytest

from import_worker import until_accepted
from import_worker.adapters.api_client import open_api_client
from import_worker.attempt import Attempt
from import_worker.reporter import RefusedError, SupersededError
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptStart, AttemptTerms, dump_terms
from shared.messages.progress_report import ProgressReport, ReportedError, ReportedState
from shared.model.credential import Credential
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


def problem(status: int, code: str, **headers: str) -> Answer:
    body = orjson.dumps({"code": code, "detail": "It was so."})
    return Answer(status=status, headers={"Content-Type": "application/problem+json", **headers}, body=body)


@pytest.mark.parametrize("state", list(ReportedState))
@pytest.mark.parametrize(
    "answer",
    [problem(400, "validation_failed"), problem(413, "body_too_large"), Answer(status=413, body=b"<html>")],
    ids=["invalid", "too large", "too large for a proxy"],
)
async def test_a_report_that_the_api_will_never_accept_is_refused(answer: Answer, state: ReportedState) -> None:
    """With the API's reason, for the user."""
    with pytest.raises(RefusedError) as refused:
        await send(answer, state)
    assert refused.value.code == "api_refused"
    if answer.body != b"<html>":
        assert "It was so." in refused.value.detail


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(401, "unauthenticated"), "api_refused"),
        (problem(403, "forbidden"), "api_refused"),
        (Answer(status=408), "api_unavailable"),
        (Answer(status=429), "api_unavailable"),
        (Answer(status=404, body=b"<html>default backend"), "api_unavailable"),
        (Answer(status=400, body=b"<html>"), "api_unavailable"),
    ],
    ids=["token", "role", "slow", "overload", "not the API", "a proxy"],
)
async def test_a_report_that_may_be_accepted_later_is_not_refused_for_good(answer: Answer, code: str) -> None:
    """A wrong token is replaced, overload passes, and a proxy's page says nothing about the report."""
    with pytest.raises(LongshoreError) as caught:
        await send(answer, ReportedState.RUNNING)
    assert caught.value.code == code
    assert not isinstance(caught.value, RefusedError)


BEGIN = "/api/v1/images:import/app-1.0-x/begin"
TERMS = AttemptTerms(credential=Credential("reader", "hunter2"), limited=True)


async def begin(answer: Answer) -> AttemptTerms:
    """Ask an API that gives this answer for the terms of an attempt."""
    async with HostileRegistry() as api, open_api_client(api.url, "token") as client:
        api.on("POST", BEGIN, answer)
        return await client.begin("app-1.0-x", AttemptStart(attempt=2))


async def test_an_attempt_gets_the_terms_that_the_api_sent() -> None:
    """With the source's account."""
    assert await begin(Answer(body=orjson.dumps(dump_terms(TERMS)))) == TERMS


@pytest.mark.parametrize("answer", [STOP, problem(409, "import_superseded"), problem(404, "import_not_found")])
async def test_an_attempt_without_terms_stops(answer: Answer) -> None:
    """The import has ended, or another attempt holds it."""
    with pytest.raises(SupersededError):
        await begin(answer)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(503, "database_unavailable"), "api_unavailable"),
        (problem(404, "not_found"), "api_unavailable"),
        (problem(403, "forbidden"), "api_refused"),
        (Answer(body=b'{"action": "continue"}'), "api_refused"),
        (Answer(body=b"<html>"), "api_refused"),
        (problem(502, "target_unavailable"), "target_unavailable"),
    ],
    ids=["in trouble", "older release", "wrong token", "no terms", "no JSON", "target away"],
)
async def test_an_error_at_the_start_has_its_code(answer: Answer, code: str) -> None:
    """`api_unavailable` is asked again; an error of the target is the attempt's, and the API decides about a retry."""
    with pytest.raises(LongshoreError) as caught:
        await begin(answer)
    assert caught.value.code == code
    assert "hunter2" not in str(caught.value)


async def test_the_targets_wait_reaches_the_report() -> None:
    """A rate limit of the target says how long it lasts."""
    with pytest.raises(LongshoreError) as caught:
        await begin(problem(503, "target_rate_limited", **{"Retry-After": "7"}))
    assert caught.value.retry_after == 7


async def test_an_api_that_is_away_is_asked_until_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease decides whether the attempt still matters."""
    monkeypatch.setattr(until_accepted, "RETRY_INTERVAL", 0.01)
    async with HostileRegistry() as api, open_api_client(api.url, "token") as client:
        away, there = problem(503, "database_unavailable"), Answer(body=orjson.dumps(dump_terms(TERMS)))
        api.on("POST", BEGIN, away, away, there)
        assert await Attempt(api=client, name="app-1.0-x", number=2).begin() == TERMS
        assert len(api.asked) == 3


async def test_an_error_that_is_not_the_apis_ends_the_wait() -> None:
    """Another try would get the same answer."""
    async with HostileRegistry() as api, open_api_client(api.url, "token") as client:
        api.on("POST", BEGIN, problem(502, "target_unavailable"))
        with pytest.raises(LongshoreError, match="target_unavailable"):
            await Attempt(api=client, name="app-1.0-x", number=2).begin()
        assert len(api.asked) == 1
