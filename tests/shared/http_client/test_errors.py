"""Every failure has one code, names side, step, host and reference, and reveals no secret."""

import asyncio
import errno
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.error_body import MAX_MESSAGE_LENGTH, ErrorBody, clean, read_error_body
from shared.http_client.failures import Failure, failed
from shared.http_client.network_errors import translate_error
from shared.http_client.request import Request
from shared.network.guard import Calling
from shared.registry.classify import classify
from shared.registry.request import Resource
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.content import described, manifest_of, push, read
from tests.shared.fixtures import Opener

BLOB = described(b"layer")
MANIFEST = manifest_of(b"config")
UPLOADS = "/v2/team/app/blobs/uploads/"
KEY = ConnectionKey("registry.example", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("status", "code", "codes"),
    [
        (400, "NAME_INVALID", ("source_protocol_error", "target_refused")),
        (401, "UNAUTHORIZED", ("source_denied", "target_denied")),
        (403, "DENIED", ("source_denied", "target_denied")),
        (404, "NAME_UNKNOWN", ("source_not_found", "target_not_found")),
        (404, "MANIFEST_UNKNOWN", ("source_not_found", "target_not_found")),
        (404, "", ("source_not_found", "target_not_found")),
        (405, "UNSUPPORTED", ("source_protocol_error", "target_refused")),
        (418, "", ("source_protocol_error", "target_protocol_error")),
        (403, "TOOMANYREQUESTS", ("source_rate_limited", "target_rate_limited")),
        (429, "DENIED", ("source_rate_limited", "target_rate_limited")),
        (500, "DENIED", ("source_unavailable", "target_unavailable")),
        (502, "", ("source_unavailable", "target_unavailable")),
        (504, "", ("source_unavailable", "target_unavailable")),
        (501, "", ("source_protocol_error", "target_protocol_error")),
        (304, "", ("source_protocol_error", "target_protocol_error")),
        (204, "", ("source_protocol_error", "target_protocol_error")),
    ],
)
@pytest.mark.parametrize("side", [Side.SOURCE, Side.TARGET])
async def test_reading_a_manifest_fails_with_the_code_of_its_side(  # noqa: PLR0917 - pytest fills them by name
    opened: Opener, hostile: HostileRegistry, side: Side, status: int, code: str, codes: tuple[str, str]
) -> None:
    """One table for both sides: the same response requires different actions by different people."""
    hostile.on("GET", "/v2/team/app/manifests/1", error(status, code) if code else Answer(status=status))
    registries = await opened.loopback(hostile.host, side=side)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").get_manifest("1")
    assert caught.value.code == codes[side is Side.TARGET]
    for part in (hostile.host, str(status), "team/app:1"):
        assert part in caught.value.detail


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            error(403, "DENIED", "adding 5 MiB will exceed the configured upper limit of 10 MiB"),
            "target_quota_exceeded",
        ),
        (error(403, "DENIED", "no access to repository team/quota"), "target_denied"),
        (error(403, "DENIED", "requested access to the resource is denied"), "target_denied"),
        (error(412, "PRECONDITION", "configured as immutable"), "target_immutable_tag"),
        (error(409, "CONFLICT", "tag exists"), "target_refused"),
        (error(400, "TAG_INVALID", "tag is immutable"), "target_immutable_tag"),
        (error(400, "MANIFEST_INVALID", "no such schema"), "target_refused"),
        (error(413, "", ""), "target_refused"),
        (error(404, "NAME_UNKNOWN", "project imports not found"), "target_project_missing"),
        (error(404, "", ""), "target_refused"),
        (error(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry"), "target_blob_unknown"),
        (error(404, "MANIFEST_UNKNOWN", "child not found"), "target_blob_unknown"),
    ],
)
async def test_a_refused_push_says_whether_rights_or_rules_are_in_its_way(
    opened: Opener, hostile: HostileRegistry, answer: Answer, code: str
) -> None:
    """Harbor sends 403 DENIED for a full quota and an immutable tag, as it does for missing rights."""
    hostile.on("PUT", "/v2/team/app/manifests/1", answer)
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).repository("team/app").put_manifest("1", MANIFEST)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (error(404, "NAME_UNKNOWN", "project imports not found"), "target_project_missing"),
        (error(403, "DENIED", "quota exceeded"), "target_quota_exceeded"),
        (error(404, "BLOB_UPLOAD_UNKNOWN"), "target_unavailable"),
        (error(404, "BLOB_UPLOAD_INVALID"), "target_unavailable"),
        (error(400, "DIGEST_INVALID"), "target_unavailable"),
        (error(416, ""), "target_unavailable"),
        (error(404, ""), "target_unavailable"),
        (error(413, ""), "target_refused"),
        (error(507, ""), "target_unavailable"),
    ],
)
async def test_a_failed_upload_says_whether_another_try_may_help(
    opened: Opener, hostile: HostileRegistry, answer: Answer, code: str
) -> None:
    """A lost session or changed bytes are sent again; a quota needs a person."""
    hostile.on("POST", UPLOADS, Answer(status=202, headers={"Location": "/session"}))
    hostile.on("PUT", "/session", answer)
    registries = await opened.loopback(hostile.host, side=Side.TARGET)
    with pytest.raises(LongshoreError) as caught:
        await push(registries.registry(hostile.host).repository("team/app"), b"layer")
    assert caught.value.code == code
    assert str(BLOB.digest) in caught.value.detail


async def test_an_error_says_what_was_done_where_and_in_the_registrys_words(
    opened: Opener, hostile: HostileRegistry
) -> None:
    """One sentence for a person."""
    path = f"/v2/team/app/blobs/{BLOB.digest}"
    hostile.on("GET", path, error(404, "BLOB_UNKNOWN", "blob unknown to registry"))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await read(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert caught.value.detail == (
        f"{hostile.host} answered 404 while reading blob {BLOB.digest} of team/app: blob unknown to registry."
    )


async def test_an_endless_error_is_cut_off(opened: Opener, hostile: HostileRegistry) -> None:
    """64 KiB of an error message are enough."""
    hostile.on("GET", "/v2/", Answer(status=403, length=None, endless=True))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == "source_denied"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"\x00" * 100,
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
    ],
    ids=["ssh", "status", "zeros", "length", "long header", "many headers"],
)
async def test_what_is_not_http_is_no_registry(opened: Opener, hostile: HostileRegistry, raw: bytes) -> None:
    """The client library's own text does not appear."""
    hostile.on("GET", "/v2/", Answer(raw=raw, close=True))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(LongshoreError) as caught:
        await registries.registry(hostile.host).ping()
    assert caught.value.code == "source_protocol_error"
    assert caught.value.detail.endswith("checking the registry's API: its response is not HTTP.")


async def test_a_port_without_a_listener_is_unreachable(opened: Opener) -> None:
    """A refused connection, and a name that does not exist."""
    registries = await opened.loopback("127.0.0.1:1")
    for host in ("127.0.0.1:1", "registry.invalid"):
        with pytest.raises(LongshoreError) as caught:
            await registries.registry(host).ping()
        assert caught.value.code == "source_unreachable"
        assert host in caught.value.detail


def request(side: Side = Side.SOURCE) -> Request:
    return Request(
        side=side, resource="blob", step="trying", method="GET", url=URL("https://registry.example"), limit=0
    )


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (aiohttp.ConnectionTimeoutError("secret"), "source_unreachable"),
        (aiohttp.SocketTimeoutError("secret"), "source_stalled"),
        (TimeoutError("secret"), "source_stalled"),
        (OSError(errno.ETIMEDOUT, "secret"), "source_stalled"),
        (aiohttp.ClientOSError(errno.ETIMEDOUT, "secret"), "source_stalled"),
        (aiohttp.ServerDisconnectedError("secret"), "source_unreachable"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "secret"), "source_unreachable"),
        (aiohttp.ClientConnectorError(KEY, OSError(errno.ENETUNREACH, "secret")), "source_unreachable"),
        (aiohttp.ClientConnectorDNSError(KEY, OSError("secret")), "source_unreachable"),
        (aiohttp.ClientConnectionError("secret"), "source_unreachable"),
        (aiohttp.ClientPayloadError("secret"), "source_unavailable"),
        (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError("secret")), "source_tls_failed"),
        (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("secret")), "source_tls_failed"),
        (ssl.SSLError("secret"), "source_tls_failed"),
        (aiohttp.InvalidURL("https://secret"), "source_host_refused"),
        (aiohttp.NonHttpUrlClientError("secret"), "source_host_refused"),
        (ValueError("secret"), "source_protocol_error"),
        (aiohttp.ClientError("secret"), "source_protocol_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_each_exception_of_the_client_has_a_code(raised: Exception, code: str) -> None:
    """The exception's own text does not appear."""
    found = translate_error(request(), "registry.example", raised)
    assert found.code == code
    assert "secret" not in str(found)
    assert "registry.example" in found.detail


def test_a_refused_address_counts_before_what_came_of_it() -> None:
    """The client itself only sees a failed connection."""
    raised = aiohttp.ClientConnectorError(KEY, OSError("no"))
    refused = Calling("registry.example")
    refused.refused.append("10.0.0.1")
    found = translate_error(request(), "registry.example", raised, refused)
    assert found.code == "source_host_refused"


@pytest.mark.parametrize("side", [Side.SOURCE, Side.TARGET])
@pytest.mark.parametrize("failure", list(Failure))
def test_every_failure_has_a_code_on_both_sides(side: Side, failure: Failure) -> None:
    """The code belongs to that side, so that it leads to the right operator."""
    found = failed(side, failure, "A sentence.")
    assert found.kind.side is side


@given(st.sampled_from(list(Resource)), st.integers(100, 599), st.text(max_size=20))
def test_every_answer_means_something(resource: Resource, status: int, code: str) -> None:
    """An unknown status or code must not raise an exception of another kind."""
    found = classify(resource, status, ErrorBody(codes=(code,), message=code))
    assert isinstance(found, Failure)
    if status >= 500 and status != 501:
        assert found is Failure.UNAVAILABLE


@given(st.text(), st.text(min_size=4, max_size=40))
def test_words_of_a_registry_are_one_short_printable_line_without_secrets(text: str, secret: str) -> None:
    """Messages appear in logs, responses and terminals."""
    line = clean(text + secret + text, [secret])
    assert len(line) <= MAX_MESSAGE_LENGTH + 1
    assert all(letter.isprintable() or letter == " " for letter in line)
    if not any(letter.isspace() or not letter.isprintable() for letter in secret) and secret not in "[secret]":
        assert secret not in line


@given(st.binary(max_size=200))
def test_any_body_is_a_complaint(content: bytes) -> None:
    """A registry may send anything with an error."""
    found = read_error_body(content)
    assert len(found.message) <= MAX_MESSAGE_LENGTH + 1


@pytest.mark.parametrize(
    ("content", "codes", "words"),
    [
        (b'{"errors": [{"code": "denied", "message": "no"}]}', ("DENIED",), "no"),
        (b'{"errors": [{"code": "A"}, {"code": "B", "message": "b", "detail": "c"}]}', ("A", "B"), "A; b, c"),
        (b'{"errors": [{"code": "A", "message": "a", "detail": {"x": 1}}]}', ("A",), "a"),
        (b'{"errors": [1, "x", null]}', (), ""),
        (b'{"errors": "no"}', (), ""),
        (b'{"details": "incorrect username or password"}', (), "incorrect username or password"),
        (b'{"message": 7}', (), ""),
        (b"[]", (), ""),
        (b"null", (), ""),
        (b"too many requests\n", (), "too many requests"),
        (b"<html><body>nginx</body></html>", (), ""),
        (b"\x1b[31mred\x00", (), "[31mred"),
        (b"\xff\xfe", (), "\ufffd\ufffd"),
        (b"[" * 100_000, (), "[" * MAX_MESSAGE_LENGTH + "…"),
    ],
)
def test_a_complaint_is_read_for_what_it_is(content: bytes, codes: tuple[str, ...], words: str) -> None:
    """The distribution specification's format, a token service's, plain text; markup is ignored."""
    assert read_error_body(content) == ErrorBody(codes, words)


async def test_a_caller_who_gives_up_gets_his_own_timeout(opened: Opener, hostile: HostileRegistry) -> None:
    """A deadline around a request is the caller's, not the registry's fault."""
    hostile.on("GET", "/v2/", Answer(wait=30))
    registries = await opened.loopback(hostile.host)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await registries.registry(hostile.host).ping()
