"""Progress never decreases, whatever the order of reports."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.model.progress import LayerProgress, LayerStatus, TotalProgress, Transfer, eta_seconds, percent_of

SIZE = 1000


def reports(size: int = SIZE) -> st.SearchStrategy[LayerProgress]:
    return st.builds(
        LayerProgress,
        size=st.just(size),
        offset=st.integers(0, size),
        status=st.sampled_from(LayerStatus),
        transfer=st.none() | st.sampled_from(Transfer),
    )


@given(st.lists(reports(), min_size=1))
def test_a_layer_never_goes_backwards(sequence: list[LayerProgress]) -> None:
    """This includes late reports, later attempts and other workers."""
    seen = [sequence[0]]
    for report in sequence[1:]:
        seen.append(seen[-1].merged(report))
    for before, after in pairwise(seen):
        assert after.offset >= before.offset
        assert after.percent >= before.percent
        assert before.status is LayerStatus.PENDING or after.status is not LayerStatus.PENDING


@given(st.lists(reports(), min_size=1), reports())
def test_a_completed_layer_stays_as_it_is(sequence: list[LayerProgress], late: LayerProgress) -> None:
    """A late report changes neither its state nor its kind of transfer."""
    done = LayerProgress(size=SIZE, offset=SIZE, status=LayerStatus.COMPLETED, transfer=Transfer.MOUNTED)
    for report in (*sequence, late):
        assert done.merged(report) == done


@given(reports())
def test_a_hundred_per_cent_means_committed(report: LayerProgress) -> None:
    """If all bytes are sent but not committed, the value is 99."""
    assert 0 <= report.percent <= 100
    assert (report.percent == 100) is (report.status is LayerStatus.COMPLETED)


@given(reports(), reports())
def test_completing_fills_the_layer(before: LayerProgress, last: LayerProgress) -> None:
    """A mounted layer has transferred no bytes, and is complete nevertheless."""
    completed = LayerProgress(size=SIZE, offset=last.offset, status=LayerStatus.COMPLETED, transfer=Transfer.MOUNTED)
    merged = before.merged(completed)
    assert merged.percent == 100
    assert before.status is LayerStatus.COMPLETED or merged.offset == SIZE


def test_an_empty_layer_goes_from_nothing_to_all() -> None:
    """An empty layer has 0 per cent until it is committed."""
    assert LayerProgress(size=0).percent == 0
    assert LayerProgress(size=0, status=LayerStatus.COMPLETED).percent == 100


@given(st.lists(reports(), max_size=5), st.data())
def test_the_total_never_goes_backwards(layers: list[LayerProgress], data: st.DataObject) -> None:
    """The total is a sum of values that never decrease."""
    before = TotalProgress.of(layers)
    after = TotalProgress.of([layer.merged(data.draw(reports())) for layer in layers])
    assert 0 <= before.done <= before.total == SIZE * len(layers)
    assert after.done >= before.done
    assert before.percent <= after.percent <= 99


@given(st.integers(0, 10**20), st.integers(0, 10**20))
def test_per_cents_are_whole_and_rounded_down(done: int, total: int) -> None:
    """99.9 % is shown as 99; a size may be arbitrarily large."""
    percent = percent_of(min(done, total), total)
    assert 0 <= percent <= 100
    assert (percent == 100) is (total > 0 and done >= total)


@given(st.floats(0, 1e15), st.floats(-1e12, 1e12))
def test_an_estimate_needs_something_that_moves(remaining: float, rate: float) -> None:
    """Without a rate there is no estimate."""
    estimate = eta_seconds(int(remaining), rate)
    assert (estimate is None) is (rate <= 0)
    assert estimate is None or estimate >= 0
