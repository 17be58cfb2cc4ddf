"""A worker's report on a few of an import's thousands of layers."""

from typing import Any

import pytest

from shared.db import import_progress
from shared.messages.progress_report import MAX_LAYERS_REPORTED, ProgressReport, ReportedState
from shared.model.progress import LayerProgress, LayerStatus, Transfer
from tests.api_service.images.test_details import CONTENT, Import, started
from tests.api_service.images.test_many_layers import STATUSES, add_layers, details, digest

__all__ = ["started"]  # A fixture.

COUNT = 1_000
# The first layer that is being downloaded, with 40 of its 100 bytes.
MOVING = STATUSES.index("downloading")
NEW = "sha256:" + 64 * "e"


def layer(offset: int, size: int = 100) -> LayerProgress:
    return LayerProgress(size=size, offset=offset, status=LayerStatus.DOWNLOADING, transfer=Transfer.COPIED)


async def begin(started: Import, count: int = COUNT) -> None:
    await started.api.claim(started.name)
    await add_layers(started.api, started.id, count)


async def test_a_report_on_one_layer_counts_all(started: Import) -> None:
    await begin(started)
    before = await details(started.api, started.id)
    await started.report(1, layers={digest(MOVING): layer(70)})
    after = await details(started.api, started.id)
    sums = [
        sum(moved["bytes"] for name, moved in answer["layersSummary"].items() if isinstance(moved, dict))
        for answer in (before, after)
    ]
    assert sums[1] - sums[0] == 30
    assert (after["bytesDone"], after["bytesTotal"]) == (sums[1], COUNT * 100)
    assert after["layersDetail"][digest(MOVING)]["offset"] == 70


async def test_a_new_layer_comes_after_all_others(started: Import) -> None:
    """A referrer's layers are found while the image is copied."""
    await begin(started)
    await started.report(1, layers={digest(MOVING): layer(50), NEW: layer(1, 500)})
    last = await details(started.api, started.id, "?page_num=3")
    assert list(last["layersDetail"]) == [*(digest(n) for n in range(900, COUNT)), NEW]
    assert last["bytesTotal"] == COUNT * 100 + 500


async def test_the_last_report_completes_all_layers_but_failed_ones(started: Import) -> None:
    await begin(started)
    await started.report(1, ReportedState.READY, content=CONTENT)
    summary = (await details(started.api, started.id))["layersSummary"]
    failed = COUNT * STATUSES.count("failed") // len(STATUSES)
    assert (summary["completed"], summary["failed"], summary["total"]) == (COUNT - failed, failed, COUNT)
    left = "SELECT count(*) FROM import_layers WHERE status = 'completed' AND byte_offset <> size"
    assert await started.api.value(left) == 0


async def test_an_import_has_a_limited_number_of_layers(started: Import) -> None:
    """Also if each report has few of them."""
    await begin(started, MAX_LAYERS_REPORTED)
    report = ProgressReport(attempt=1, sequence=1, state=ReportedState.RUNNING, layers={NEW: layer(1)})
    answer = await started.api.report(started.name, report)
    assert (answer.status, answer.code) == (400, "validation_failed")


async def test_a_report_reads_only_its_own_layers(started: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice a second, thousands of rows would hold the event loop."""
    rows = []
    read = import_progress._layer

    def counted(row: Any) -> LayerProgress:
        rows.append(row)
        return read(row)

    await begin(started)
    monkeypatch.setattr(import_progress, "_layer", counted)
    await started.report(1, layers={digest(MOVING): layer(70), NEW: layer(1)})
    assert len(rows) == 1
