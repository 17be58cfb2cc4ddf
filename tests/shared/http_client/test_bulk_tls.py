"""Bulk transfers over TLS: handshakes in threads, and faults of the wire."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from deploy.local.stack import Registry as RegistryServer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.registry.repository import Repository
from shared.runtime.concurrency import cancel_all
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.bulk_bodies import Bytes, push_in_bulk, read_in_bulk
from tests.shared.certificates import Authority
from tests.shared.content import noise
from tests.shared.fixtures import Opener
from tests.shared.http_client.bulk_blob import BLOB, CONTENT, PATH, SESSION, STARTED, UPLOADS, WHOLE


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


async def test_a_blob_goes_there_and_back_over_tls(
    opened: Opener, tls_registry: RegistryServer, authority: Authority
) -> None:
    """The server has a private authority; no byte is lost between records and buffers."""
    policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], ca_files={tls_registry.host: str(authority.file)})
    repository = (await opened(policy, Side.TARGET)).registry(tls_registry.host).repository("team/app")
    await push_in_bulk(repository, BLOB, CONTENT)
    assert await read_in_bulk(repository, BLOB) == CONTENT


async def test_an_unknown_authority_is_not_trusted(opened: Opener, tls_registry: RegistryServer) -> None:
    """The rule holds for large blobs, too."""
    repository = (await opened(NetworkPolicy.of(allowed_private=["127.0.0.0/8"]))).registry(tls_registry.host)
    with pytest.raises(LongshoreError, match=r"source_tls_failed.*authority"):
        await read_in_bulk(repository.repository("team/app"), BLOB)


@pytest.mark.parametrize("hang", [False, True], ids=["closed", "open"])
async def test_an_early_refusal_counts_under_tls(secured: HostileRegistry, over_tls: Repository, hang: bool) -> None:
    """Under TLS, a readable socket may only hold the handshake's session tickets."""
    secured.on("PATCH", SESSION, Answer(status=413, early=True, hang=hang))
    session = await over_tls.start_upload()
    with pytest.raises(LongshoreError, match="target_refused"):
        await asyncio.wait_for(over_tls.patch_upload(session, 0, Bytes(noise(20_000_000))), 10)


@pytest.mark.parametrize("end", [Answer(raw=b"", early=True), Answer(raw=b"", early=True, reset=True)])
async def test_a_connection_that_breaks_under_tls_is_lost_not_distrusted(
    secured: HostileRegistry, over_tls: Repository, end: Answer
) -> None:
    """The certificate was accepted before; a lost connection is retried."""
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
    """A server that accepts a connection and stays silent does not delay a cancelled import."""

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
    """An example is a restart: the certificate is not at fault, and the request is retried."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        repository = (await opened(NetworkPolicy.of(allowed_private=[host]))).registry(host).repository("team/app")
        with pytest.raises(LongshoreError, match="source_unreachable"):
            await read_in_bulk(repository, BLOB)


async def test_silent_handshakes_take_no_common_threads(opened: Opener) -> None:
    """Handshakes run in the session's threads, because the whole process shares the event loop's few."""
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
