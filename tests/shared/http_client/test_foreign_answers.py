"""Hostile headers and bodies: each is read, skipped, or refused with the side of its server."""

import time
from contextlib import suppress

import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.http_client.boundary import reads_answer
from shared.http_client.link_header import MAX_LINK_LENGTH, next_link
from shared.http_client.request import Reply, Request
from shared.http_client.retry import retry_after
from shared.http_client.unreadable import reads_content, reads_hint
from shared.rate_limits.headers import LONGEST_HOLD, Allowance
from shared.registry.classify import error_from_reply
from shared.registry.request import RegistryRequest, Resource
from shared.registry.uploads import UploadSession

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


def reply(content: bytes = b"", status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, CIMultiDictProxy(CIMultiDict(named)), content)


def request(resource: Resource = Resource.UPLOAD) -> RegistryRequest:
    return RegistryRequest(
        side=Side.TARGET, resource=resource, step="reading", method="GET", url=URL("https://r.example/v2/")
    )


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "location",
    [
        "http://[",
        "//[::1",
        "https://r.example:99999/",
        "https://r.example:x/",
        "\x00",
        "https://\udce9/",
        "a" * 32_768,
        "@:",
    ],
)
def test_a_location_that_is_no_address_is_refused(location: str) -> None:
    """An address that is relative to the registry is one, whatever it contains."""
    with suppress(LongshoreError):
        assert UploadSession.read(request(), reply(Location=location)).location.startswith("https://r.example/")
    with pytest.raises(LongshoreError) as caught:
        UploadSession.read(request(), reply(Location="https://r.example:x/"))
    assert caught.value.code is Code.TARGET_PROTOCOL_ERROR


@pytest.mark.parametrize("depth", [100, 500, 900, 950, 980, 990, 1_000, 5_000])
def test_an_error_of_any_depth_is_that_of_its_status(depth: int) -> None:
    """A list that Python can read may be too deep to be shown: it ended in an internal error."""
    body = b'{"errors": [{"code": %b, "message": %b}]}' % (nested(depth), nested(depth))
    error = error_from_reply(request(), reply(body, 429, Retry_After="Mon, 01 Jan 99999 00:00:00 GMT"))
    assert (error.code, error.retry_after) == (Code.TARGET_RATE_LIMITED, None)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"9" * 5_000,
        b'{"errors": [9]}',
        b'{"errors": [{"code": null, "message": "\\ud800\\u0000"}]}',
        b"{}",
        b"<html>",
    ],
)
def test_an_error_of_any_form_can_be_stored(body: bytes) -> None:
    """PostgreSQL refuses NUL in a text, and a half of a surrogate pair is no UTF-8."""
    detail = error_from_reply(request(), reply(body, 500)).detail
    assert "\0" not in detail
    assert detail.encode().isascii() or detail.isprintable()


@pytest.mark.parametrize(
    "headers",
    [
        {"RateLimit-Limit": "9" * 5_000, "RateLimit-Remaining": "0"},
        {"RateLimit-Limit": "\u0663\u0663", "RateLimit-Remaining": "0"},
        {"X-RateLimit-Limit": "1", "X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "9" * 400},
    ],
)
def test_rate_limit_headers_of_any_form_are_read_or_skipped(headers: dict[str, str]) -> None:
    allowance = Allowance.read(headers, time.time())
    assert allowance is None or 0 <= allowance.spacing <= LONGEST_HOLD


def test_what_a_reader_of_content_raises_is_an_error_with_a_code() -> None:
    @reads_content(Code.MANIFEST_UNSUPPORTED)
    def read() -> None:
        raise RecursionError("\0 too deep")

    with pytest.raises(LongshoreError, match="RecursionError: too deep") as caught:
        read()
    assert caught.value.code is Code.MANIFEST_UNSUPPORTED


def test_a_header_that_cannot_be_read_decides_nothing() -> None:
    @reads_hint
    def read() -> int | None:
        raise OverflowError

    assert read() is None


@pytest.mark.parametrize("side", [Side.SOURCE, Side.TARGET])
@pytest.mark.parametrize("raised", [OverflowError, RecursionError, KeyError, TypeError, UnicodeError])
def test_a_parsers_exception_names_the_side(side: Side, raised: type[Exception]) -> None:
    asked = Request(side=side, resource="token", step="reading", method="GET", url=URL("https://r.example/"), limit=1)

    @reads_answer
    def read(_request: Request) -> None:
        raise raised

    with pytest.raises(LongshoreError) as caught:
        read(asked)
    assert caught.value.kind.side is side
    assert raised.__name__ in caught.value.detail
