"""Server-sent events, for any division into chunks."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore_client.event_stream import MAX_EVENT, Event, EventReader

STREAM = (
    b'retry: 2000\r\nid: a/1.1\r\nevent: details\r\ndata: {"progress": 1}\r\n\r\n'
    b": ping - 2026\r\n\r\n"
    b"id: a/1.2\nevent: details\ndata: two\ndata:lines \xc3\xa4\n\n"
)
EVENTS = [
    Event(name="details", id="a/1.1", data='{"progress": 1}', retry=2.0),
    Event(name="details", id="a/1.2", data="two\nlines ä", retry=None),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_events_do_not_depend_on_how_they_are_cut(cuts: list[int]) -> None:
    """Chunks end anywhere, even within a character or between CR and LF."""
    reader, found = EventReader(), []
    edges = [0, *sorted(cuts), len(STREAM)]
    for begin, end in pairwise(edges):
        found += reader.feed(STREAM[begin:end])
    assert found == EVENTS


def test_an_event_without_data_is_ignored() -> None:
    """As the standard says: an id or a retry alone is not an event."""
    assert EventReader().feed(b"id: 7\nretry: 10\n\n") == []


def test_an_incomplete_event_is_not_returned() -> None:
    assert EventReader().feed(b"data: half") == []


@pytest.mark.parametrize("line", [b"x", b"data: " + 1023 * b"x" + b"\n"])
def test_an_event_that_never_ends_is_refused(line: bytes) -> None:
    """A faulty server must not fill the client's memory."""
    reader, chunk = EventReader(), line * (1024 * 1024 // len(line))

    def endlessly() -> None:
        for _ in range(2 * MAX_EVENT // len(chunk)):
            reader.feed(chunk)

    with pytest.raises(ValueError, match="does not end"):
        endlessly()
