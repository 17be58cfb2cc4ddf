"""Large blobs, as threads read and send them: the same rules as for every other request, and faults of the wire."""

import asyncio
import threading
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from yarl import URL

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.http_client.bulk.connection import ANSWER_CHECK_SECONDS
from shared.http_client.bulk.exchange import BulkRequest
from shared.http_client.session import open_outgoing
from shared.network.policy import NetworkPolicy
from shared.registry.repository import Repository
from shared.runtime.concurrency import cancel_all
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.bulk_bodies import Bytes, Stopped, push_in_bulk, read_in_bulk
from tests.shared.certificates import Authority
from tests.shared.content import described, noise
from tests.shared.fixtures import Opener

CONTENT = noise(3_000_000, 7)
BLOB = described(CONTENT)
PATH = f"/v2/team/app/blobs/{BLOB.digest}"
UPLOADS = "/v2/team/app/blobs/uploads/"
SESSION = "/v2/team/app/blobs/uploads/1"
STARTED = Answer(status=202, headers={"Location": f"{SESSION}?_state=a%2Fb%3D"})
WHOLE = Answer(body=CONTENT)


async def there(opened: Opener, *servers: RegistryServer | HostileRegistry, side: Side = Side.TARGET) -> Repository:
    registries = await opened.loopback(*(server.host for server in servers), side=side)
    return registries.registry(servers[0].host).repository("team/app")


async def test_a_blob_goes_there_and_back(opened: Opener, target_registry: RegistryServer) -> None:
    """docker-registry: one PATCH, the commit, and a GET, whole and from an offset."""
    repository = await there(opened, target_registry)
    await push_in_bulk(repository, BLOB, CONTENT)
    assert await read_in_bulk(repository, BLOB) == CONTENT
    assert await read_in_bulk(repository, BLOB, 2_999_999) == CONTENT[-1:]


async def test_a_blob_goes_there_and_back_over_tls(
    opened: Opener, tls_registry: RegistryServer, authority: Authority
) -> None:
    """With a private authority; no byte is lost between records and buffers."""
    policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], ca_files={tls_registry.host: str(authority.file)})
    repository = (await opened(policy, Side.TARGET)).registry(tls_registry.host).repository("team/app")
    await push_in_bulk(repository, BLOB, CONTENT)
    assert await read_in_bulk(repository, BLOB) == CONTENT


async def test_an_unknown_authority_is_not_trusted(opened: Opener, tls_registry: RegistryServer) -> None:
    """There is no way around the rule for large blobs."""
    repository = (await opened(NetworkPolicy.of(allowed_private=["127.0.0.0/8"]))).registry(tls_registry.host)
    with pytest.raises(LongshoreError, match=r"source_tls_failed.*authority"):
        await read_in_bulk(repository.repository("team/app"), BLOB)


async def test_a_private_address_is_refused(opened: Opener, hostile: HostileRegistry) -> None:
    """The guard judges these connections, too."""
    registries = await opened(NetworkPolicy.of(plain_http=[hostile.host]))
    with pytest.raises(LongshoreError, match="source_host_refused"):
        await read_in_bulk(registries.registry(hostile.host).repository("team/app"), BLOB)
    assert hostile.connections == 0


async def test_a_redirect_is_followed_without_credentials_and_judged(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Storage on another server gets no account, and a private one must be listed."""
    hostile.on("GET", PATH, Answer(status=307, headers={"Location": f"{other.url}/signed?a=%2F"}))
    other.on("GET", "/signed", WHOLE)
    assert await read_in_bulk(await there(opened, hostile, other), BLOB) == CONTENT
    assert other.asked[0].query == "a=%2F"
    assert "authorization" not in other.asked[0].headers
    elsewhere = NetworkPolicy.of(allowed_private=[hostile.host], plain_http=[hostile.host, other.host])
    repository = (await opened(elsewhere)).registry(hostile.host).repository("team/app")
    with pytest.raises(LongshoreError, match="source_host_refused"):
        await read_in_bulk(repository, BLOB)
    assert len(other.asked) == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(body=CONTENT[:-1], length=len(CONTENT), close=True), "source_unavailable"),
        (Answer(body=CONTENT[:-1], length=len(CONTENT), reset=True), "source_unreachable"),
        (Answer(body=CONTENT[:-1]), "source_unavailable"),
        (Answer(body=CONTENT[:-1], length=None, close=True), "source_unavailable"),
        (Answer(body=CONTENT + b"!"), "blob_digest_mismatch"),
        (Answer(body=CONTENT + b"!", length=None, close=True), "blob_digest_mismatch"),
        (Answer(raw=b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "source_protocol_error"),
        (Answer(raw=b"", close=True), "source_unreachable"),
        (error(404, "BLOB_UNKNOWN"), "blob_not_found"),
        (error(503, "UNAVAILABLE"), "source_unavailable"),
        (Answer(status=200, raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000), "source_protocol_error"),
    ],
    ids=["cut", "reset", "short", "short to the close", "long", "long to the close", "not http", "nothing", "404",
         "503", "endless head"],
)  # fmt: skip
async def test_each_fault_of_a_download_has_its_code(
    opened: Opener, hostile: HostileRegistry, answer: Answer, code: str
) -> None:
    """Nothing that breaks is taken for the blob."""
    hostile.on("GET", PATH, answer)
    with pytest.raises(LongshoreError) as caught:
        await read_in_bulk(await there(opened, hostile, side=Side.SOURCE), BLOB)
    assert caught.value.code == code


async def test_a_body_without_a_length_ends_with_its_connection(opened: Opener, hostile: HostileRegistry) -> None:
    """HTTP/1.1 allows it; what counts is the blob's size."""
    hostile.on("GET", PATH, Answer(body=CONTENT, length=None, close=True))
    assert await read_in_bulk(await there(opened, hostile), BLOB) == CONTENT


async def test_a_chunked_body_is_put_together(opened: Opener, hostile: HostileRegistry) -> None:
    """Some proxies re-frame what passes through them."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (CONTENT[:100_000], CONTENT[100_000:]))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    hostile.on("GET", PATH, Answer(raw=head + chunks + b"0\r\n\r\n"))
    assert await read_in_bulk(await there(opened, hostile), BLOB) == CONTENT


async def test_connections_are_used_again(opened: Opener, hostile: HostileRegistry) -> None:
    """An image of many layers must not pay a handshake for each of them."""
    hostile.on("GET", PATH, WHOLE)
    repository = await there(opened, hostile)
    for _ in range(3):
        await read_in_bulk(repository, BLOB)
    assert hostile.connections == 1


async def test_a_connection_that_the_server_closed_is_not_used_again(opened: Opener, hostile: HostileRegistry) -> None:
    """Idle connections end without notice."""
    hostile.on("GET", PATH, Answer(body=CONTENT, close=True))
    repository = await there(opened, hostile)
    for _ in range(3):
        assert await read_in_bulk(repository, BLOB) == CONTENT
    assert hostile.connections == 3


async def test_half_an_answer_ends_its_connection(opened: Opener, hostile: HostileRegistry) -> None:
    """What is left of a blob must not be taken for the next answer."""
    hostile.on("GET", PATH, WHOLE)
    repository = await there(opened, hostile)
    async with repository.download_blob(BLOB) as download:
        await asyncio.to_thread(download.read_into, memoryview(bytearray(10)))
    assert await read_in_bulk(repository, BLOB) == CONTENT
    assert hostile.connections == 2


async def test_an_upload_announces_its_length_and_its_place(opened: Opener, hostile: HostileRegistry) -> None:
    """The first bytes go without Content-Range; later ones say where they belong, as the specification writes it."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, STARTED)
    repository = await there(opened, hostile)
    session = await repository.start_upload()
    session = await repository.patch_upload(session, 0, Bytes(CONTENT[:1000]))
    await repository.patch_upload(session, 1000, Bytes(CONTENT[1000:]))
    first, second = hostile.requests("PATCH")
    assert first.body + second.body == CONTENT
    assert (first.headers["content-length"], second.headers["content-length"]) == ("1000", "2999000")
    assert "content-range" not in first.headers
    assert second.headers["content-range"] == "1000-2999999"
    assert first.query == "_state=a%2Fb%3D"
    assert first.headers["user-agent"].startswith("longshore/")


async def test_what_the_body_raises_comes_out_unchanged_and_commits_nothing(
    opened: Opener, target_registry: RegistryServer
) -> None:
    """The target's complaint about a broken body is only the consequence."""

    def fail() -> None:
        raise LongshoreError(Code.SOURCE_UNAVAILABLE, "the source broke off")

    repository = await there(opened, target_registry)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError, match="the source broke off"):
        await repository.patch_upload(session, 0, Bytes(CONTENT[:-1], size=len(CONTENT), then=fail))
    assert await repository.get_upload(session) is None


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"!"], ids=["short", "long"])
async def test_a_body_of_another_size_is_an_error(
    opened: Opener, target_registry: RegistryServer, content: bytes
) -> None:
    """It is a defect of ours, and must not leave a registry with a request that never ends."""
    repository = await there(opened, target_registry)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError, match="target_protocol_error"):
        await asyncio.wait_for(repository.patch_upload(session, 0, Bytes(content, size=len(CONTENT))), 10)


@pytest.mark.parametrize("hang", [False, True], ids=["closed", "open"])
async def test_an_early_refusal_counts(opened: Opener, hostile: HostileRegistry, hang: bool) -> None:
    """A server may answer before it has the body, whether it then closes the connection or reads nothing more."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, Answer(status=413, early=True, hang=hang))
    repository = await there(opened, hostile)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError) as caught:
        await asyncio.wait_for(repository.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)
    assert caught.value.code == "target_refused"
    await repository.start_upload()


@pytest.mark.parametrize("hang", [False, True], ids=["closed", "open"])
async def test_an_early_refusal_counts_under_tls(secured: HostileRegistry, over_tls: Repository, hang: bool) -> None:
    """There, a readable socket alone may be the handshake's tickets."""
    secured.on("PATCH", SESSION, Answer(status=413, early=True, hang=hang))
    session = await over_tls.start_upload()
    with pytest.raises(LongshoreError, match="target_refused"):
        await asyncio.wait_for(over_tls.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)


@pytest.mark.parametrize("end", [Answer(raw=b"", early=True), Answer(raw=b"", early=True, reset=True)])
async def test_a_connection_that_breaks_under_tls_is_lost_not_distrusted(
    secured: HostileRegistry, over_tls: Repository, end: Answer
) -> None:
    """The certificate was accepted before; a lost connection is tried again."""
    secured.on("PATCH", SESSION, end)
    session = await over_tls.start_upload()
    with pytest.raises(LongshoreError) as caught:
        await asyncio.wait_for(over_tls.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)
    assert caught.value.code == "target_unreachable"


async def test_what_follows_an_answer_under_tls_is_not_the_next_one(
    secured: HostileRegistry, over_tls: Repository
) -> None:
    """Those bytes have left the socket already, and wait in TLS."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)
    secured.on("GET", PATH, Answer(raw=head + CONTENT + b"more"), WHOLE)
    assert await read_in_bulk(over_tls, BLOB) == CONTENT
    assert await read_in_bulk(over_tls, BLOB) == CONTENT


async def test_a_handshake_can_be_cancelled(opened: Opener) -> None:
    """A server that accepts and says nothing holds no cancelled import up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeted.set()
        await reader.read()
        gone.set()
        writer.close()

    greeted, gone = asyncio.Event(), asyncio.Event()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        repository = (await opened(NetworkPolicy.of(allowed_private=[host]))).registry(host).repository("team/app")
        reading = asyncio.create_task(read_in_bulk(repository, BLOB))
        await greeted.wait()
        await asyncio.sleep(0.1)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_server_that_ends_the_handshake_is_away(opened: Opener) -> None:
    """As when it starts anew: that is no lack of trust, and is tried again."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        repository = (await opened(NetworkPolicy.of(allowed_private=[host]))).registry(host).repository("team/app")
        with pytest.raises(LongshoreError, match="source_unreachable"):
            await read_in_bulk(repository, BLOB)


async def test_silent_handshakes_take_no_common_threads(opened: Opener) -> None:
    """The event loop's own few threads are everybody's: those that dial have theirs."""
    busy = set(threading.enumerate())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        repository = (await opened(NetworkPolicy.of(allowed_private=[host]))).registry(host).repository("team/app")
        reading = [asyncio.create_task(read_in_bulk(repository, BLOB)) for _ in range(40)]
        await asyncio.sleep(0.5)
        await asyncio.wait_for(asyncio.to_thread(busy.copy), 2)
        await cancel_all(reading)


async def test_an_address_that_is_not_ascii_arrives_as_it_was_given(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Storage addresses hold file names; UTF-8 is what servers write there."""
    raw = "/signed/é".encode().decode("latin-1")
    hostile.on("GET", PATH, Answer(status=307, headers={"Location": other.url + raw}))
    other.on("GET", "/signed/%C3%A9", WHOLE)
    assert await read_in_bulk(await there(opened, hostile, other), BLOB) == CONTENT


async def test_an_answer_that_may_have_no_body_is_not_waited_for(
    sessions: Repository, hostile: HostileRegistry
) -> None:
    """Whatever length a 204 states (RFC 9112, section 6.3)."""
    head = f"HTTP/1.1 204 No Content\r\nLocation: {SESSION}\r\nContent-Length: 10\r\n\r\n"
    hostile.on("PATCH", SESSION, Answer(raw=head.encode()))
    session = await sessions.start_upload()
    await asyncio.wait_for(sessions.patch_upload(session, 0, Bytes(CONTENT)), 5)


async def test_a_field_that_cannot_be_sent_is_an_error_of_the_exchange(hostile: HostileRegistry) -> None:
    """Such as a token with a line break in it; the other client says ValueError, too."""
    policy = NetworkPolicy.of(allowed_private=[hostile.host], plain_http=[hostile.host])
    request = BulkRequest(method="GET", url=URL(hostile.url), fields=[("Authorization", "Bearer a\nb")])
    async with open_outgoing(policy) as outgoing:
        with pytest.raises(ValueError, match="value"):
            await outgoing.bulk.request(request)


async def test_connections_that_nobody_uses_any_more_are_closed(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only when their own server is called again, which may be never."""
    monkeypatch.setattr("shared.http_client.bulk.exchange.KEEP_ALIVE", 0.1)
    registries = await opened.loopback(hostile.host, other.host)
    for server in (hostile, other):
        server.on("GET", PATH, WHOLE)
        await read_in_bulk(registries.registry(server.host).repository("team/app"), BLOB)
        await asyncio.sleep(0.2)
    assert (hostile.open_connections, other.open_connections) == (0, 1)


async def test_a_dripping_complaint_ends(
    opened: Opener, hostile: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Single bytes of an error's words must not hold an import for days."""
    monkeypatch.setattr("shared.http_client.wire.READING_TIMEOUT", 0.3)
    hostile.on("GET", PATH, Answer(status=500, length=60_000, drips=True))
    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(read_in_bulk(await there(opened, hostile, side=Side.SOURCE), BLOB), 5)


async def test_success_before_the_body_was_sent_is_not_believed(opened: Opener, hostile: HostileRegistry) -> None:
    """Nobody can have taken bytes that are still here."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, Answer(status=202, headers={"Location": SESSION}, early=True, hang=True))
    repository = await there(opened, hostile)
    session = await repository.start_upload()
    with pytest.raises(LongshoreError, match="target_protocol_error"):
        await asyncio.wait_for(repository.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)


async def test_a_slow_reader_is_waited_for() -> None:
    """A target that pauses longer than it takes to look for an early answer still gets everything."""
    content = noise(20_000_000)
    taken = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(2 * ANSWER_CHECK_SECONDS)
        taken.extend(await reader.readexactly(len(content)))
        writer.write(b"HTTP/1.1 202 Accepted\r\nLocation: /v2/next\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        slow = BulkRequest(method="PATCH", url=URL(f"http://{host}/v2/upload"), fields=(), body=Bytes(content))
        async with open_outgoing(NetworkPolicy.of(allowed_private=[host], plain_http=[host])) as outgoing:
            answer = await outgoing.bulk.request(slow)
            assert answer.status == HTTPStatus.ACCEPTED
            answer.release()
    assert taken == content


async def test_cancelling_ends_the_thread_first(opened: Opener, hostile: HostileRegistry) -> None:
    """When the caller goes on, nobody reads its source any more."""
    hostile.on("POST", UPLOADS, STARTED)
    hostile.on("PATCH", SESSION, STARTED)
    repository, body = await there(opened, hostile), Stopped()
    upload = asyncio.create_task(repository.patch_upload(await repository.start_upload(), 0, body))
    await asyncio.to_thread(body.reached.wait)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert body.ended.is_set()


async def test_a_download_that_waits_can_be_aborted(opened: Opener, hostile: HostileRegistry) -> None:
    """From another thread, as a cancelled import does."""
    hostile.on("GET", PATH, Answer(body=CONTENT[:10], length=len(CONTENT), hang=True))
    repository = await there(opened, hostile, side=Side.SOURCE)
    async with repository.download_blob(BLOB) as download:
        buffer = memoryview(bytearray(100))
        assert await asyncio.to_thread(download.read_into, buffer) == 10
        waiting = asyncio.create_task(asyncio.to_thread(download.read_into, buffer))
        await asyncio.sleep(0.05)
        download.abort()
        with pytest.raises(LongshoreError):
            await asyncio.wait_for(waiting, 5)


@pytest.fixture
async def secured(authority: Authority) -> AsyncIterator[HostileRegistry]:
    context = authority.server("secured", address="127.0.0.1").context()
    async with HostileRegistry(tls=context) as server:
        server.on("POST", UPLOADS, STARTED)
        yield server


@pytest.fixture
async def over_tls(opened: Opener, secured: HostileRegistry, authority: Authority) -> Repository:
    policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], ca_files={secured.host: str(authority.file)})
    return (await opened(policy, Side.TARGET)).registry(secured.host).repository("team/app")


@pytest.fixture
async def sessions(opened: Opener, hostile: HostileRegistry) -> Repository:
    hostile.on("POST", UPLOADS, STARTED)
    return await there(opened, hostile)


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        (Answer(status=204, headers={"Location": SESSION, "Range": "0-999"}), 1000),
        (Answer(status=204, headers={"Location": SESSION, "Range": "bytes=0-999"}), 1000),
        (Answer(status=204, headers={"Location": SESSION, "Range": "0-0"}), None),
        (Answer(status=204, headers={"Location": SESSION, "Range": "5-999"}), None),
        (Answer(status=204, headers={"Location": SESSION, "Range": "0-" + "9" * 30}), None),
        (Answer(status=204, headers={"Location": SESSION}), None),
        (Answer(status=204, headers={"Range": "0-999"}), None),
        (error(404, "BLOB_UPLOAD_UNKNOWN"), None),
        (error(500, "UNKNOWN"), None),
    ],
)
async def test_a_session_is_gone_on_with_only_where_it_proves_itself(
    sessions: Repository, hostile: HostileRegistry, answer: Answer, taken: int | None
) -> None:
    """Whatever else it says, the blob is sent anew."""
    hostile.on("GET", SESSION, answer)
    found = await sessions.get_upload(await sessions.start_upload())
    assert (found[1] if found else None) == taken


async def test_a_kept_address_is_judged_before_it_is_used(sessions: Repository, hostile: HostileRegistry) -> None:
    """It comes from the database, perhaps from before the target's address was changed."""
    assert sessions.restore_session(f"{hostile.url}{SESSION}") is not None
    assert sessions.restore_session("http://other.example/upload") is None
    assert sessions.restore_session("no address") is None
