"""PUT /images:import/:name/progress: fenced, idempotent, monotone; and what follows from how an attempt ends."""

import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from shared.errors.codes import Code
from shared.messages.progress_report import (
    MAX_DETAIL_LENGTH,
    MAX_LAYERS_REPORTED,
    ProgressReport,
    ReportedError,
    ReportedState,
    dump_report,
)
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from shared.model.roles import Role
from tests.api_service.api import BASE, Answer, Api

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
        return ProgressReport(attempt=self.attempt, sequence=next(self.sequence), state=state, **more)

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


@pytest.fixture
async def worker(api: Api, image_source: str) -> Worker:
    return await start(api, image_source)


def outcome(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.code if answer.status >= 400 else answer.body["action"]


async def test_a_report_shows_in_the_details_and_renews_the_lease(worker: Worker, api: Api) -> None:
    await api.execute("UPDATE imports SET lease_until = now() + interval '1 second'")
    answer = await worker.send(layers={A: copying(300), B: LayerProgress(size=1000)})
    assert outcome(answer) == (200, "continue")
    details = await worker.details()
    assert details["layersDetail"] == {
        A: {"status": "downloading", "progress": 30, "size": 1000, "offset": 300, "transfer": "copied"},
        B: {"status": "pending", "progress": 0, "size": 1000, "offset": 0, "transfer": None},
    }
    assert (details["progress"], details["bytesDone"], details["bytesTotal"]) == (15, 300, 2000)
    assert (details["state"], details["status"], details["attempt"]) == ("running", "importing", 1)
    assert await api.value("SELECT lease_until > now() + interval '20 seconds' FROM imports")


async def test_layers_stay_in_the_order_of_their_first_report(worker: Worker) -> None:
    """Whatever is reported along with a new one, and though PostgreSQL returns rows in any order."""
    digests = [f"sha256:{letter * 64}" for letter in "fedcba"]
    for number, digest in enumerate(digests):
        layers = {known: copying(number + 1) for known in digests[: number % 4]}
        await worker.send(layers={**layers, digest: copying(0)})
    assert list((await worker.details())["layersDetail"]) == digests


async def test_a_report_sent_twice_changes_nothing(worker: Worker) -> None:
    """HTTP clients repeat a PUT whose answer was lost."""
    report = worker.make(layers={A: copying(300)})
    await worker.api.report(worker.name, report)
    before = await worker.details()
    assert outcome(await worker.api.report(worker.name, report)) == (200, "continue")
    assert await worker.details() == before


async def test_reports_out_of_order_change_nothing(worker: Worker) -> None:
    older, newer = worker.make(layers={A: copying(300)}), worker.make(layers={A: copying(600)})
    await worker.api.report(worker.name, newer)
    before = await worker.details()
    assert outcome(await worker.api.report(worker.name, older)) == (200, "continue")
    assert await worker.details() == before


async def test_progress_never_falls_when_a_copy_starts_over_or_grows(worker: Worker) -> None:
    """An offset that goes back shows at its high-water mark; layers found later do not lower the total."""
    await worker.send(layers={A: copying(800)})
    await worker.send(layers={A: copying(100)})
    assert (await worker.details())["layersDetail"][A]["offset"] == 800
    await worker.send(layers={B: LayerProgress(size=10_000)})
    assert (await worker.details())["progress"] == 80


async def test_a_second_attempt_goes_on_from_what_the_first_showed(worker: Worker) -> None:
    await worker.send(layers={A: copying(800)})
    await worker.send(ReportedState.HANDED_BACK)
    await worker.claim_again()
    await worker.send(layers={A: copying(10)})
    details = await worker.details()
    assert (details["attempt"], details["progress"], details["layersDetail"][A]["progress"]) == (2, 80, 80)


async def test_ready_makes_the_image_ready(worker: Worker) -> None:
    await worker.send(layers={A: copying(800)})
    assert outcome(await worker.send(ReportedState.TAGGING)) == (200, "continue")
    assert (await worker.details())["message"] == "Everything is copied; the tag is being written."
    assert outcome(await worker.send(ReportedState.READY, content=CONTENT)) == (200, "stop")
    details, image = await worker.details(), await worker.image()
    assert (details["status"], details["state"], details["progress"]) == ("ready", "ready", 100)
    assert details["layersDetail"][A]["progress"] == 100
    assert (image["status"], image["digest"], image["size"], image["sourceDigest"]) == ("ready", B, 4711, A)
    assert (image["arch"], image["os"], image["includeType"]) == ("amd64", "linux", "full")
    assert image["platforms"] == ["linux/amd64", "linux/arm64"]
    assert image["description"] == "From the image's labels"


async def test_a_description_given_by_a_person_stays(api: Api, image_source: str) -> None:
    started = await api.start({"source": image_source, "description": "Mine"})
    claimed = await api.claim(started["name"])
    worker = Worker(api, started["name"], started["imageId"], claimed.attempt, itertools.count(1))
    await worker.send(ReportedState.READY, content=CONTENT)
    assert (await worker.image())["description"] == "Mine"


@pytest.mark.parametrize(
    ("given", "again", "shown"),
    [
        ({}, {}, "Of the newer image"),
        ({}, {"description": "Mine"}, "Mine"),
        ({"description": "Mine"}, {}, "Mine"),
        ({"description": "Mine"}, {"description": ""}, "Of the newer image"),
    ],
    ids=["never given", "given later", "given before", "given up"],
)
async def test_a_newer_image_brings_its_own_description_unless_one_was_given(
    api: Api, image_source: str, given: dict[str, str], again: dict[str, str], shown: str
) -> None:
    for more, own in ((given, "Of the image"), (again, "Of the newer image")):
        started = await api.start({"source": image_source, "force": True, **more})
        claimed = await api.claim(started["name"])
        worker = Worker(api, started["name"], started["imageId"], claimed.attempt, itertools.count(1))
        await worker.send(ReportedState.READY, content=replace(CONTENT, description=own))
    assert (await worker.image())["description"] == shown


async def test_the_report_that_ended_the_attempt_may_be_repeated(worker: Worker) -> None:
    """Its answer may have been lost; the repetition is neither an error nor a second ending."""
    ready = worker.make(ReportedState.READY, content=CONTENT)
    for _ in range(2):
        assert outcome(await worker.api.report(worker.name, ready)) == (200, "stop")


@pytest.mark.parametrize("state", ["ready", "failed", "cancelled", "queued", "waiting"])
async def test_an_import_that_does_not_run_takes_no_reports(worker: Worker, api: Api, state: str) -> None:
    """Its worker is told to stop: it was cancelled, or its lease ran out."""
    await api.execute(
        """
        UPDATE imports SET state = $1, lease_owner = NULL, lease_until = NULL,
            error_code = 'worker_lost', error_detail = 'The worker was lost.'
        """,
        state,
    )
    answer = await worker.send(layers={A: copying(5)})
    assert outcome(answer) == (409, "import_superseded")
    assert (await worker.details())["layersDetail"] == {}


async def test_an_older_attempt_is_superseded(worker: Worker) -> None:
    """The fence: a worker that was thought dead comes back after another one has taken over."""
    late = replace(worker.make(layers={A: copying(999)}), sequence=10)
    await worker.send(ReportedState.HANDED_BACK)
    await worker.claim_again()
    await worker.send(layers={A: copying(10)})
    assert outcome(await worker.api.report(worker.name, late)) == (409, "import_superseded")
    assert outcome(await worker.api.report(worker.name, replace(late, attempt=7))) == (409, "import_superseded")
    assert (await worker.details())["layersDetail"][A]["offset"] == 10


async def test_a_permanent_error_fails_the_import(worker: Worker, api: Api) -> None:
    """With a code, the side, and what to do; the credentials go."""
    await api.execute("UPDATE imports SET credentials = 'x'")
    await worker.send(layers={A: copying(10), B: LayerProgress(size=5)})
    assert outcome(await worker.fail("blob_digest_mismatch")) == (200, "stop")
    details = await worker.details()
    assert (details["status"], details["state"]) == ("failed", "failed")
    assert details["error"] == {
        "code": "blob_digest_mismatch",
        "side": "source",
        "retryable": False,
        "hint": "The source, or something between, alters content; nothing of it was published.",
        "title": "A layer's bytes do not match its digest",
        "detail": "It was blob_digest_mismatch.",
    }
    assert [layer["status"] for layer in details["layersDetail"].values()] == ["failed", "pending"]
    assert (await worker.image())["status"] == "failed"
    assert await api.value("SELECT credentials FROM imports") is None


async def test_a_transient_error_is_tried_again_after_a_while(worker: Worker, api: Api) -> None:
    """The import waits, visibly; a message with the same due time stands in the outbox."""
    assert outcome(await worker.fail("source_unavailable")) == (200, "stop")
    details = await worker.details()
    assert (details["status"], details["state"], details["error"]["code"]) == (
        "importing",
        "waiting",
        "source_unavailable",
    )
    assert details["resumesAt"] in details["message"]
    same_time = """
        SELECT outbox.due_at = imports.due_at AND outbox.due_at - now() BETWEEN interval '7 s' AND interval '13 s'
        FROM outbox JOIN imports ON imports.id = import_id WHERE reason = 'retry'
    """
    assert await api.value(same_time)
    await worker.due_now()
    await worker.claim_again()
    details = await worker.details()
    assert (details["state"], details["attempt"], details["error"], details["resumesAt"]) == ("running", 2, None, None)


async def test_attempts_are_limited(worker: Worker) -> None:
    """Three failures are allowed here: the third one ends it, with its own error."""
    for _ in range(2):
        await worker.fail("target_unavailable")
        await worker.due_now()
        await worker.claim_again()
    assert outcome(await worker.fail("target_stalled")) == (200, "stop")
    details = await worker.details()
    assert (details["state"], details["attempt"], details["error"]["code"]) == ("failed", 3, "target_stalled")


async def test_a_rate_limit_parks_without_spending_attempts(worker: Worker, api: Api) -> None:
    """Until it ends and a little longer, so that those that wait for it do not come back together."""
    for _ in range(5):
        await worker.fail("source_rate_limited", retry_after=120)
        assert await api.value(
            "SELECT due_at BETWEEN now() + interval '115 s' AND now() + interval '132 s' FROM imports"
        )
        details = await worker.details()
        assert details["message"].startswith(f"Resumes at {details['resumesAt']}. The source registry's rate limit")
        await worker.due_now()
        await worker.claim_again()
    assert await api.value("SELECT failures FROM imports") == 0


async def test_a_handed_back_import_is_another_workers_at_once(worker: Worker, api: Api) -> None:
    assert outcome(await worker.send(ReportedState.HANDED_BACK)) == (200, "stop")
    assert (await worker.details())["state"] == "queued"
    assert await api.value("SELECT due_at <= now() FROM outbox WHERE reason = 'handed_back'")
    assert await api.value("SELECT failures FROM imports") == 0
    await worker.claim_again()


async def ready_then_forced(api: Api, image_source: str) -> Worker:
    first = await start(api, image_source)
    await first.send(ReportedState.READY, content=CONTENT)
    forced = await api.start({"source": image_source, "force": True})
    attempt = (await api.claim(forced["name"])).attempt
    return Worker(api, forced["name"], forced["imageId"], attempt, itertools.count(1))


async def test_a_failed_reimport_leaves_the_image_ready_while_its_tag_is_untouched(api: Api, image_source: str) -> None:
    worker = await ready_then_forced(api, image_source)
    await worker.fail("blob_not_found")
    assert (await worker.image())["status"] == "ready"
    assert (await worker.details())["status"] == "failed"


async def test_a_failed_reimport_that_may_have_moved_the_tag_fails_the_image(api: Api, image_source: str) -> None:
    """Also when a later attempt fails before it gets as far again."""
    worker = await ready_then_forced(api, image_source)
    await worker.send(ReportedState.TAGGING)
    await worker.send(ReportedState.HANDED_BACK)
    await worker.claim_again()
    await worker.fail("blob_not_found")
    assert (await worker.image())["status"] == "failed"


@pytest.mark.parametrize("name", ["nobody-1.0-abc", "a" * 64, "%00", "a%2Fb", "%C3%A4", "UPPER", "..%2f..", "%ff"])
async def test_an_unknown_import_is_not_found(api: Api, name: str) -> None:
    report = dump_report(ProgressReport(attempt=1, sequence=1, state=ReportedState.RUNNING))
    answer = await api.call("PUT", f"{BASE}/images:import/{name}/progress", role=Role.WORKER, json=report)
    assert (answer.status, answer.code) == (404, "import_not_found")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"version": 2}, "version"),
        ({"attempt": 0}, "attempt"),
        ({"attempt": "1"}, "attempt"),
        ({"attempt": True}, "attempt"),
        ({"sequence": 0}, "sequence"),
        ({"state": "done"}, "state"),
        ({"layers": {"nodigest": {}}}, "layers.nodigest.key"),
        ({"layers": {A: {"size": 1, "offset": 2, "status": "pending"}}}, f"layers.{A}.value.offset"),
        ({"layers": {A: {"size": -1, "offset": 0, "status": "pending"}}}, f"layers.{A}.value.size"),
        ({"state": "failed"}, "error"),
        ({"state": "ready"}, "content"),
        ({"state": "failed", "error": {"code": "made_up", "detail": ""}}, "error.code"),
        (
            {"state": "failed", "error": {"code": "worker_lost", "detail": "x" * (MAX_DETAIL_LENGTH + 1)}},
            "error.detail",
        ),
    ],
)
async def test_a_malformed_report_is_refused_by_field(worker: Worker, change: dict[str, Any], field: str) -> None:
    body = dump_report(worker.make()) | change
    answer = await worker.api.call("PUT", f"{BASE}/images:import/{worker.name}/progress", role=Role.WORKER, json=body)
    assert (answer.status, answer.code) == (400, "validation_failed")
    assert field in {failing["field"] for failing in answer.body["errors"]}, answer.body["errors"]


async def test_fields_of_a_later_release_are_ignored(worker: Worker) -> None:
    """Services of neighbouring releases run side by side."""
    body = dump_report(worker.make()) | {"weather": "fine"}
    answer = await worker.api.call("PUT", f"{BASE}/images:import/{worker.name}/progress", role=Role.WORKER, json=body)
    assert outcome(answer) == (200, "continue")


async def test_a_report_on_a_large_image_fits(worker: Worker) -> None:
    """Twenty thousand layers at once, above every image there is, within one database statement's time."""
    layers = {f"sha256:{number:064x}": copying(500) for number in range(MAX_LAYERS_REPORTED)}
    body = io.BytesIO(json.dumps(dump_report(worker.make(layers=layers))).encode())
    headers = {"Content-Type": "application/json"}
    path = f"{BASE}/images:import/{worker.name}/progress"
    answer = await worker.api.call("PUT", path, role=Role.WORKER, data=body, headers=headers)
    assert outcome(answer) == (200, "continue")
    assert (await worker.details())["progress"] == 50
