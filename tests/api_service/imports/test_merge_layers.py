"""Merging a report into the known layers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_service.imports.merge_layers import RATE_MEMORY, MergedLayers, merge_layers
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedState
from shared.model.image_content import ImageContent
from shared.model.progress import LayerProgress, LayerStatus, Transfer

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
CONTENT = ImageContent(
    source_digest=A, digest=A, size=1, architecture="amd64", os="linux", platforms=(), include_type="full"
)


def copying(offset: int, size: int = 1000) -> LayerProgress:
    return LayerProgress(size=size, offset=offset, status=LayerStatus.DOWNLOADING, transfer=Transfer.COPIED)


def done(size: int = 1000, transfer: Transfer = Transfer.COPIED) -> LayerProgress:
    return LayerProgress(size=size, offset=size, status=LayerStatus.COMPLETED, transfer=transfer)


def merge(
    known: dict[str, LayerProgress], reported: dict[str, LayerProgress], *, rate: float = 0, age: float = 1
) -> MergedLayers:
    report = ProgressReport(attempt=1, sequence=1, state=ReportedState.RUNNING, layers=reported)
    return merge_layers(known, report, rate=rate, age=age)


def test_only_changed_layers_are_written() -> None:
    """A report without news costs no write."""
    merged = merge({A: done(), B: copying(10)}, {A: done(), B: copying(20), C: LayerProgress(size=5)})
    assert dict(merged.changed) == {B: copying(20), C: LayerProgress(size=5)}


def test_ready_completes_all_layers_but_those_of_skipped_referrers() -> None:
    """A skipped referrer's blob is not in the target: the bytes say so, while the progress is 100."""
    failed = LayerProgress(size=500, status=LayerStatus.FAILED)
    report = ProgressReport(attempt=1, sequence=1, state=ReportedState.READY, layers={B: failed}, content=CONTENT)
    merged = merge_layers({A: copying(10)}, report, rate=0, age=1)
    assert merged.changed[A].status is LayerStatus.COMPLETED
    assert merged.changed[B] == failed
    assert (merged.movement.bytes_done, merged.movement.bytes_total, merged.movement.progress) == (1000, 1500, 100)


def test_the_totals_are_those_of_all_layers() -> None:
    merged = merge({A: done(), B: copying(10)}, {B: copying(500)})
    assert (merged.movement.bytes_done, merged.movement.bytes_total, merged.movement.progress) == (1500, 2000, 75)


def test_offsets_stay_at_their_high_water_mark() -> None:
    """A copy that starts over shows its old offset until it passes it, and counts as moving."""
    merged = merge({A: copying(800)}, {A: copying(100)})
    assert merged.movement.bytes_done == 800
    assert merged.movement.moved


def test_only_copied_bytes_count_for_the_rate() -> None:
    """Mounted and existing blobs are not transferred."""
    quiet = merge({}, {A: done(10**9, Transfer.MOUNTED), B: done(10**9, Transfer.EXISTING)})
    assert quiet.movement.rate == 0
    assert quiet.movement.moved
    assert merge({}, {A: done(1000)}).movement.rate > 0


def test_the_first_measured_rate_holds_as_it_is() -> None:
    assert merge({A: copying(0)}, {A: copying(100)}, age=2).movement.rate == 50


def test_the_rate_approaches_the_measured_one() -> None:
    """The rate falls from 5000 bytes a second to 1000, with one report a second."""
    rate, known = 5000.0, {A: copying(0, 10**6)}
    for second in range(1, 40):
        merged = merge(known, {A: copying(second * 1000, 10**6)}, rate=rate, age=1)
        assert 1000 < merged.movement.rate < rate
        rate, known = merged.movement.rate, {**known, **merged.changed}
    assert rate < 1010


def test_the_rate_falls_when_nothing_moves() -> None:
    movement = merge({A: copying(5)}, {}, rate=1000, age=RATE_MEMORY).movement
    assert 360 < movement.rate < 375
    assert not movement.moved


def test_two_reports_at_once_do_not_make_an_absurd_rate() -> None:
    assert merge({A: copying(0)}, {A: copying(100)}, age=0).movement.rate <= 100 / 0.05


def test_ready_completes_every_layer() -> None:
    """The target serves the image, so it has all blobs, even if the last report did not say so."""
    report = ProgressReport(attempt=1, sequence=1, state=ReportedState.READY, content=CONTENT)
    merged = merge_layers({A: copying(5), B: done()}, report, rate=0, age=1)
    assert merged.changed[A].percent == 100
    assert merged.movement.progress == 100
    assert merged.movement.bytes_done == merged.movement.bytes_total == 2000


statuses = st.sampled_from(LayerStatus)
layers = st.builds(
    lambda status, offset: LayerProgress(size=100, offset=offset, status=status), statuses, st.integers(0, 100)
)
reports = st.lists(st.dictionaries(st.sampled_from([A, B, C]), layers), max_size=20)


@given(reports)
def test_progress_never_falls(reported: list[dict[str, LayerProgress]]) -> None:
    """Each layer's percentage and the bytes done only rise, for any reports in any order."""
    known: dict[str, LayerProgress] = {}
    done_before = 0
    for report in reported:
        merged = merge(known, report)
        newer = {**known, **merged.changed}
        assert all(newer[digest].percent >= layer.percent for digest, layer in known.items())
        assert merged.movement.bytes_done >= done_before
        known, done_before = newer, merged.movement.bytes_done


def test_sizes_that_exceed_64_bits_together_are_refused() -> None:
    """The sum could not be stored: the worker must not repeat such a report, so it is no error of the API."""
    half = LayerProgress(size=2**62, offset=0, status=LayerStatus.PENDING)
    report = ProgressReport(attempt=1, sequence=1, state=ReportedState.RUNNING, layers={A: half, B: half})
    with pytest.raises(LongshoreError, match="64 bits") as refused:
        merge_layers({}, report, rate=0, age=1)
    assert refused.value.code == "validation_failed"
