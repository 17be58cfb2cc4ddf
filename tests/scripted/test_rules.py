"""The effects of rules on the wire, to the byte."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from tests.scripted.answer import Answer
from tests.scripted.connection import Ending
from tests.scripted.contents import digest_of
from tests.scripted.registry import ScriptedRegistry
from tests.scripted.rule import Rule
from tests.scripted.tokens import TokenService
from tests.shared.certificates import Authority
from tests.shared.content import noise

CONTENT = noise(500_000, 5)
DIGEST = digest_of(CONTENT)
BLOB = f"/v2/team/app/blobs/{DIGEST}"
UPLOADS = r"/v2/.*/blobs/uploads/.*"


@pytest.fixture
async def registry() -> AsyncIterator[ScriptedRegistry]:
    async with ScriptedRegistry() as registry:
        registry.add_blob("team/app", CONTENT)
        yield registry


async def raw(registry: ScriptedRegistry, request: bytes, *, wait: float = 0.3) -> tuple[bytes, str]:
    """Send bytes; return the answer received within `wait` seconds, and the connection's state at its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", registry.port)
    received = b""
    try:
        writer.write(request)
        while part := await asyncio.wait_for(reader.read(1 << 20), wait):
            received += part
    except TimeoutError:
        return received, "open"
    except ConnectionError:
        return received, "reset"
    finally:
        writer.close()
    return received, "closed"


def get(path: str = BLOB, *headers: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", *headers, "", "")).encode()


def put(path: str, body: bytes, *headers: str) -> bytes:
    lines = (f"PUT {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", "")
    return "\r\n".join(lines).encode() + body


async def start(http: aiohttp.ClientSession, registry: ScriptedRegistry) -> str:
    async with http.post(f"{registry.url}/v2/team/app/blobs/uploads/") as response:
        return response.headers["Location"].removeprefix(registry.url)


@pytest.mark.parametrize(
    ("ending", "seen"), [(Ending.RESET, "reset"), (Ending.CLOSE, "closed"), (Ending.SILENCE, "open")]
)
async def test_an_answer_is_cut_at_the_byte(registry: ScriptedRegistry, ending: Ending, seen: str) -> None:
    """The defined number of bytes arrives, while Content-Length states all; a reset may overtake some of them."""
    registry.on("GET", BLOB).cut_after(300_001, ending)
    received, end = await raw(registry, get())
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(CONTENT)}".encode() in head
    assert end == seen
    assert body == CONTENT[:300_001] or (ending is Ending.RESET and CONTENT[:300_001].startswith(body))


@pytest.mark.parametrize(
    ("ending", "seen"), [(Ending.RESET, "reset"), (Ending.CLOSE, "reset"), (Ending.SILENCE, "open")]
)
async def test_an_upload_is_cut_at_the_byte(
    http: aiohttp.ClientSession, registry: ScriptedRegistry, ending: Ending, seen: str
) -> None:
    """The session has the received bytes; closing with unread bytes resets the connection."""
    registry.on("PUT", UPLOADS).cut_after(123_456, ending)
    path = await start(http, registry)
    received, end = await raw(registry, put(f"{path}&digest={DIGEST}", CONTENT))
    assert (received, end) == (b"", seen)
    assert [bytes(upload.content) for upload in registry.contents.uploads.values()] == [CONTENT[:123_456]]


async def test_a_corrupted_byte_is_the_only_one(http: aiohttp.ClientSession, registry: ScriptedRegistry) -> None:
    """This holds for a response and for an upload."""
    registry.on("GET", BLOB, times=1).corrupt(at=400_000)
    registry.on("PUT", UPLOADS).corrupt(at=7)
    async with http.get(f"{registry.url}{BLOB}") as response:
        body = await response.read()
    assert [index for index, (one, other) in enumerate(zip(body, CONTENT, strict=True)) if one != other] == [400_000]
    path = await start(http, registry)
    async with http.put(f"{registry.url}{path}&digest={DIGEST}", data=CONTENT) as response:
        assert response.status == 400


async def test_a_drip_takes_its_time(http: aiohttp.ClientSession, registry: ScriptedRegistry) -> None:
    """There are ten pieces with a pause after each."""
    registry.on("GET", BLOB).drip(50_000, 0.03)
    started = time.monotonic()
    async with http.get(f"{registry.url}{BLOB}") as response:
        assert await response.read() == CONTENT
    assert time.monotonic() - started > 0.3


@pytest.mark.parametrize(("lingers", "seen"), [(True, "open"), (False, "reset")])
async def test_an_early_answer_comes_while_the_body_is_being_sent(
    http: aiohttp.ClientSession, registry: ScriptedRegistry, lingers: bool, seen: str
) -> None:
    """The answer comes before the last byte of the body; the registry does not read the rest."""
    registry.on("PUT", UPLOADS).refuse(413, "SIZE_INVALID").early(1000, lingers=lingers)
    path = await start(http, registry)
    received, end = await raw(registry, put(f"{path}&digest={DIGEST}", CONTENT)[:-1])
    assert (received.startswith(b"HTTP/1.1 413 ") or not lingers, end) == (True, seen)
    assert not registry.requests("PUT")[0].complete


@pytest.mark.parametrize(("ending", "seen"), [(Ending.RESET, "reset"), (Ending.SILENCE, "open")])
async def test_a_lost_answer_leaves_its_effect(
    http: aiohttp.ClientSession, registry: ScriptedRegistry, ending: Ending, seen: str
) -> None:
    """The registry stores the blob, but the client gets no answer."""
    registry.on("PUT", UPLOADS).lose_answer(ending)
    other = noise(1000, 6)
    path = await start(http, registry)
    assert await raw(registry, put(f"{path}&digest={digest_of(other)}", other)) == (b"", seen)
    assert registry.blob("team/app", digest_of(other)) == other


@pytest.mark.parametrize(
    ("order", "begins", "end"),
    [
        (lambda rule: rule.truncate(3), b"HTTP/1.1 200 Scripted\r\n", "open"),
        (lambda rule: rule.state_length(7), b"HTTP/1.1 200 Scripted\r\n", "open"),
        (lambda rule: rule.close(), b"HTTP/1.1 200 Scripted\r\n", "closed"),
        (lambda rule: rule.send_raw(b"SSH-2.0\r\n"), b"SSH-2.0\r\n", "closed"),
        (
            lambda rule: rule.send_before(b"HTTP/1.1 103 Early\r\n\r\n"),
            b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200",
            "open",
        ),
        (lambda rule: rule.answer(418, b"tea"), b"HTTP/1.1 418 Scripted\r\nContent-Length: 3\r\n\r\ntea", "open"),
        (lambda rule: rule.answer_with(lambda asked: Answer(body=asked.path.encode())), b"HTTP/1.1 200", "open"),
        (lambda rule: rule.redirect("/else"), b"HTTP/1.1 307 Scripted\r\nLocation: /else\r\n", "open"),
        (lambda rule: rule.set_status(299), b"HTTP/1.1 299 Scripted\r\n", "open"),
        (lambda rule: rule.never_answer(), b"", "open"),
        (lambda rule: rule.send_chunked(), b"HTTP/1.1 200 Scripted\r\n", "open"),
    ],
)
async def test_an_answer_is_what_was_ordered(
    registry: ScriptedRegistry, order: object, begins: bytes, end: str
) -> None:
    """The test checks the first bytes and the state of the connection."""
    assert callable(order)
    order(registry.on("GET", "/v2/"))
    received, seen = await raw(registry, get("/v2/"))
    assert received.startswith(begins)
    assert (b"HTTP" in received or b"SSH" in received, seen) == (begins != b"", end)


async def test_bodies_without_a_length_end_where_they_should(
    http: aiohttp.ClientSession, registry: ScriptedRegistry
) -> None:
    """Chunked bodies in both directions, and a body without end."""
    registry.on("GET", BLOB, times=1).send_chunked()
    registry.on("GET", BLOB).send_endlessly()
    async with http.get(f"{registry.url}{BLOB}") as response:
        assert await response.read() == CONTENT
    async with http.get(f"{registry.url}{BLOB}") as response:
        assert len(await response.content.readexactly(2_000_000)) == 2_000_000
        response.close()

    async def parts() -> AsyncIterator[bytes]:
        yield CONTENT[:100]
        yield CONTENT[100:]

    path = await start(http, registry)
    async with http.put(f"{registry.url}{path}&digest={DIGEST}", data=parts()) as response:
        assert response.status == 201
    assert registry.requests("PUT")[0].received == len(CONTENT)


async def test_a_client_that_waits_for_100_gets_it_unless_it_is_withheld(
    http: aiohttp.ClientSession, registry: ScriptedRegistry
) -> None:
    """RFC 9110, section 10.1.1, defines this."""
    registry.on("PUT", UPLOADS, after=1).withhold_continue()
    path = await start(http, registry)
    head = put(f"{path}&digest={DIGEST}", CONTENT, "Expect: 100-continue")[: -len(CONTENT)]
    assert await raw(registry, head) == (b"HTTP/1.1 100 Continue\r\n\r\n", "open")
    assert await raw(registry, head) == (b"", "open")


async def test_a_rule_counts(http: aiohttp.ClientSession, registry: ScriptedRegistry) -> None:
    """The first matching rule applies after `after` requests, `times` times, and records its requests."""
    first: Rule = registry.on("GET|HEAD", r"/v2/.*", times=2, after=1).answer(500)
    registry.on("GET", "/v2/", times=1).answer(501)

    async def status() -> int:
        async with http.get(f"{registry.url}/v2/") as response:
            return response.status

    assert [await status() for _ in range(5)] == [501, 500, 500, 200, 200]
    assert first.hits == registry.asked[1:3]


async def test_headers_are_set_computed_and_left_out(http: aiohttp.ClientSession, registry: ScriptedRegistry) -> None:
    """The rest of the answer does not change."""
    rule = registry.on("HEAD", BLOB).set_header("docker-content-digest", None).set_header("X-New", "1")
    rule.set_header("Etag", str.upper).delay(0.1)
    async with http.head(f"{registry.url}{BLOB}") as response:
        assert "Docker-Content-Digest" not in response.headers
        assert (response.headers["X-New"], response.headers["Etag"]) == ("1", f'"{DIGEST.upper()}"')
        assert response.headers["Content-Length"] == str(len(CONTENT))


async def test_tokens_are_asked_for_and_end(http: aiohttp.ClientSession) -> None:
    """A token is valid for its scopes, its account and its lifetime."""
    service = TokenService(accounts={"alice": "secret"})
    async with ScriptedRegistry(tokens=service) as registry:
        registry.add_blob("team/app", CONTENT)

        async def status(path: str, **headers: str) -> int:
            async with http.get(f"{registry.url}{path}", headers=headers) as response:
                return response.status

        assert await status(BLOB) == 401
        assert await status("/token") == 401
        basic = aiohttp.encode_basic_auth("alice", "secret")
        assert await status("/token?service=scripted&scope=repository:team/app:pull", Authorization=basic) == 200
        bearer = f"Bearer {service.issued[-1].value}"
        assert await status(BLOB, Authorization=bearer) == 200
        assert await status(BLOB.replace("app", "other"), Authorization=bearer) == 401
        async with http.post(
            f"{registry.url}/v2/team/app/blobs/uploads/", headers={"Authorization": bearer}
        ) as response:
            assert response.status == 401
            assert 'scope="repository:team/app:pull,push"' in response.headers["WWW-Authenticate"]
        service.revoke()
        assert await status(BLOB, Authorization=bearer) == 401


async def test_it_speaks_tls(http: aiohttp.ClientSession, tmp_path_factory: pytest.TempPathFactory) -> None:
    """It uses the given certificate, and faults work under TLS, too."""
    files = Authority(tmp_path_factory.mktemp("scripted")).server("scripted", ends=timedelta(days=1))
    async with ScriptedRegistry(tls=files.context()) as registry:
        registry.add_blob("team/app", CONTENT)
        registry.on("GET", BLOB, times=1).cut_after(1000)
        async with http.get(f"{registry.url}{BLOB}", ssl=False) as response:
            with pytest.raises(aiohttp.ClientError):
                await response.read()
        async with http.get(f"{registry.url}{BLOB}", ssl=False) as response:
            assert await response.read() == CONTENT
