"""PUT /images:import/:name/progress: reports are fenced, idempotent and never lower the progress."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest

from shared.messages.progress_report import (
    MAX_DETAIL_LENGTH,
    MAX_LAYERS_REPORTED,
    ProgressReport,
    ReportedState,
    dump_report,
)
from shared.model.progress import LayerProgress
from shared.model.roles import Role
from tests.api_service.api import BASE, Api
from tests.api_service.imports.reports import A, B, Worker, copying, outcome


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
    """A report may repeat any of the known layers, and PostgreSQL returns rows in any order."""
    digests = [f"sha256:{letter * 64}" for letter in "fedcba"]
    for number, digest in enumerate(digests):
        layers = {known: copying(number + 1) for known in digests[: number % 4]}
        await worker.send(layers={**layers, digest: copying(0)})
    assert list((await worker.details())["layersDetail"]) == digests


async def test_a_report_sent_twice_changes_nothing(worker: Worker) -> None:
    """An HTTP client repeats a PUT whose answer was lost."""
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
    """A lower offset does not lower the shown one; layers found later do not lower the progress."""
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


@pytest.mark.parametrize("state", ["ready", "failed", "cancelled", "queued", "waiting"])
async def test_an_import_that_does_not_run_takes_no_reports(worker: Worker, api: Api, state: str) -> None:
    """The answer stops the worker: the import was cancelled, or its lease expired."""
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
    """The attempt is the fence: a worker that was cut off reports after another worker has taken over."""
    late = replace(worker.make(layers={A: copying(999)}), sequence=10)
    await worker.send(ReportedState.HANDED_BACK)
    await worker.claim_again()
    await worker.send(layers={A: copying(10)})
    assert outcome(await worker.api.report(worker.name, late)) == (409, "import_superseded")
    assert outcome(await worker.api.report(worker.name, replace(late, attempt=7))) == (409, "import_superseded")
    assert (await worker.details())["layersDetail"][A]["offset"] == 10


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
    """Services of consecutive releases run at the same time."""
    body = dump_report(worker.make()) | {"weather": "fine"}
    answer = await worker.api.call("PUT", f"{BASE}/images:import/{worker.name}/progress", role=Role.WORKER, json=body)
    assert outcome(answer) == (200, "continue")


async def test_a_report_on_a_large_image_fits(worker: Worker) -> None:
    """The API stores twenty thousand layers, more than any known image has, within a statement's time limit."""
    layers = {f"sha256:{number:064x}": copying(500) for number in range(MAX_LAYERS_REPORTED)}
    body = io.BytesIO(json.dumps(dump_report(worker.make(layers=layers))).encode())
    headers = {"Content-Type": "application/json"}
    path = f"{BASE}/images:import/{worker.name}/progress"
    answer = await worker.api.call("PUT", path, role=Role.WORKER, data=body, headers=headers)
    assert outcome(answer) == (200, "continue")
    assert (await worker.details())["progress"] == 50
