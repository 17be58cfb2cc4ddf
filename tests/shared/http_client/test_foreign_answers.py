"""Hostile headers and bodies: each is read, skipped, or refused with the side of its server."""

import time

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.boundary import reads_answer
from shared.http_client.link_header import MAX_LINK_LENGTH, next_link
from shared.http_client.request import Request
from shared.http_client.retry import retry_after

# Seconds of processor time.
SOON = 1.0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('</v2/x?last=a&n=1>; rel="next"', "/v2/x?last=a&n=1"),
        ("</a,b;c>; rel=next", "/a,b;c"),
        ('</a>; rel="prev", </b>; title="x"; REL="Next"', "/b"),
        ('</a>; rel="prev next"', "/a"),
        ("</a>; rel=nextish", None),
        ("</a; rel=next", None),
        ("rel=next", None),
        ("<>;" * 20_000, None),
        ("<" * MAX_LINK_LENGTH + "</a>; rel=next", None),
    ],
)
def test_the_next_page_is_read(header: str, expected: str | None) -> None:
    assert next_link([header]) == expected


@pytest.mark.parametrize("piece", ["<>;", "<", ">", "<a>;rel=", "<a>; rel=nex", ",", " ", '"', "rel=next "])
def test_no_link_takes_long_to_read(piece: str) -> None:
    """A pattern took 22 seconds for the first of these; reading takes a few milliseconds."""
    began = time.process_time()
    assert next_link([piece * (32 * 1024 // len(piece))]) is None
    assert time.process_time() - began < SOON


@pytest.mark.parametrize(
    "value", ["Mon, 01 Jan 99999 00:00:00 GMT", "Mon, 99999999999999999999999 Jan 2026 00:00:00", "("]
)
def test_a_date_that_python_cannot_hold_is_no_date(value: str) -> None:
    assert retry_after(CIMultiDictProxy(CIMultiDict({"Retry-After": value}))) is None


@pytest.mark.parametrize("side", [Side.SOURCE, Side.TARGET])
@pytest.mark.parametrize("raised", [OverflowError, RecursionError, KeyError, TypeError, UnicodeError])
def test_a_parsers_exception_names_the_side(side: Side, raised: type[Exception]) -> None:
    request = Request(side=side, resource="token", step="reading", method="GET", url=URL("https://r.example/"), limit=1)

    @reads_answer
    def read(_request: Request) -> None:
        raise raised

    with pytest.raises(LongshoreError) as caught:
        read(request)
    assert caught.value.kind.side is side
    assert raised.__name__ in caught.value.detail
