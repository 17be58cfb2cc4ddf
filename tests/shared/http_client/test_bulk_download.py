"""Bulk downloads: the rules of every other request, reused connections, and faults of the wire."""

import asyncio

import pytest
from yarl import URL

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.bulk.exchange import BulkRequest
from shared.http_client.session import open_outgoing
from shared.network.policy import NetworkPolicy
from tests.scripted.hostile import Answer, HostileRegistry, error
from tests.shared.bulk_bodies import push_in_bulk, read_in_bulk
from tests.shared.fixtures import Opener
from tests.shared.http_client.bulk_blob import BLOB, CONTENT, PATH, WHOLE, there


async def test_a_blob_goes_there_and_back(opened: Opener, target_registry: RegistryServer) -> None:
    """docker-registry: one PATCH, the commit, and a GET, whole and from an offset."""
    repository = await there(opened, target_registry)
    await push_in_bulk(repository, BLOB, CONTENT)
    assert await read_in_bulk(repository, BLOB) == CONTENT
    assert await read_in_bulk(repository, BLOB, 2_999_999) == CONTENT[-1:]


async def test_a_private_address_is_refused(opened: Opener, hostile: HostileRegistry) -> None:
    """The guard checks these connections, too."""
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
    """The client never returns a broken response as the blob."""
    hostile.on("GET", PATH, answer)
    with pytest.raises(LongshoreError) as caught:
        await read_in_bulk(await there(opened, hostile, side=Side.SOURCE), BLOB)
    assert caught.value.code == code


async def test_a_body_without_a_length_ends_with_its_connection(opened: Opener, hostile: HostileRegistry) -> None:
    """HTTP/1.1 allows it; the blob's size decides."""
    hostile.on("GET", PATH, Answer(body=CONTENT, length=None, close=True))
    assert await read_in_bulk(await there(opened, hostile), BLOB) == CONTENT


async def test_a_chunked_body_is_put_together(opened: Opener, hostile: HostileRegistry) -> None:
    """Some proxies change the transfer encoding."""
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
    """The rest of a blob must not be taken for the next response."""
    hostile.on("GET", PATH, WHOLE)
    repository = await there(opened, hostile)
    async with repository.download_blob(BLOB) as download:
        await asyncio.to_thread(download.read_into, memoryview(bytearray(10)))
    assert await read_in_bulk(repository, BLOB) == CONTENT
    assert hostile.connections == 2


async def test_an_address_that_is_not_ascii_arrives_as_it_was_given(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry
) -> None:
    """Storage addresses hold file names, which servers write in UTF-8."""
    raw = "/signed/é".encode().decode("latin-1")
    hostile.on("GET", PATH, Answer(status=307, headers={"Location": other.url + raw}))
    other.on("GET", "/signed/%C3%A9", WHOLE)
    assert await read_in_bulk(await there(opened, hostile, other), BLOB) == CONTENT


async def test_a_field_that_cannot_be_sent_is_an_error_of_the_exchange(hostile: HostileRegistry) -> None:
    """An example is a token with a line break; aiohttp raises ValueError, too."""
    policy = NetworkPolicy.of(allowed_private=[hostile.host], plain_http=[hostile.host])
    request = BulkRequest(method="GET", url=URL(hostile.url), fields=[("Authorization", "Bearer a\nb")])
    async with open_outgoing(policy) as outgoing:
        with pytest.raises(ValueError, match="value"):
            await outgoing.bulk.request(request)


async def test_unused_connections_are_closed(
    opened: Opener, hostile: HostileRegistry, other: HostileRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Idle connections are closed even if their own server is never called again."""
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
    """An error message that arrives byte by byte must not hold an import for days."""
    monkeypatch.setattr("shared.http_client.wire.READING_TIMEOUT", 0.3)
    hostile.on("GET", PATH, Answer(status=500, length=60_000, drips=True))
    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(read_in_bulk(await there(opened, hostile, side=Side.SOURCE), BLOB), 5)


async def test_a_download_that_waits_can_be_aborted(opened: Opener, hostile: HostileRegistry) -> None:
    """Another thread aborts it, as a cancelled import does."""
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
