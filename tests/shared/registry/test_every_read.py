"""Every read of a source ends, wherever the source drips or stays silent: a table of reads by faults."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest

from import_worker.copying import transfer
from import_worker.copying.transfer import BlobTransfer
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.manifest import Manifest
from shared.oci.reference import Reference
from shared.planning.image_config import read_config
from shared.registry.source import RegistrySource
from shared.runtime.concurrency import cancel_all
from tests.import_worker.ends import DictTarget
from tests.scripted.connection import Connection, Ending
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.server import LOOPBACK, Server
from tests.shared.content import described, noise
from tests.shared.fixtures import Opener

SMALL, LARGE = described(noise(30_000, 1)), described(noise(transfer.WHOLE_SIZE + 1, 2))
CONFIG = Descriptor(media_type=media_types.OCI_CONFIG, digest=SMALL.digest, size=SMALL.size)
MANIFEST = Manifest.parse(
    f'{{"schemaVersion":2,"mediaType":"{media_types.OCI_MANIFEST}","layers":[],"config":{{"mediaType":'
    f'"{CONFIG.media_type}","digest":"{CONFIG.digest}","size":{CONFIG.size}}}}}'.encode(),
    media_types.OCI_MANIFEST,
)
# The shortened limits, and a time that only an endless read exceeds. Seconds.
LIMIT = 0.5
ENDLESS = 60.0
# Between two bytes of a drip. Seconds.
PAUSE = 0.05


async def _transfer(source: RegistrySource, blob: Descriptor) -> None:
    async def upload_started(_: str) -> None:
        """No other worker continues the upload."""

    transferring = BlobTransfer(blob, source, DictTarget(), upload_started=upload_started, advance=lambda _: None)
    await transferring.run()


# By the method of RegistrySource, with the caller whose limit holds for what follows the answer's head.
READS: Mapping[str, Callable[[RegistrySource], Awaitable[object]]] = {
    "resolve": lambda source: source.resolve(),
    "look_up": lambda source: source.look_up(),
    "fetch_root": lambda source: source.fetch_root(),
    "fetch_manifest": lambda source: source.fetch_manifest(SMALL.digest),
    "open_blob, of a configuration": lambda source: read_config(source, MANIFEST),
    "open_blob, of a small layer": lambda source: _transfer(source, SMALL),
    "download_blob": lambda source: _transfer(source, LARGE),
    "attachments": lambda source: source.attachments([SMALL.digest]),
    "has_blob": lambda source: source.has_blob(SMALL),
}


def test_every_read_is_in_the_table() -> None:
    """A new method of a source needs a row."""
    methods = {name for name in vars(RegistrySource) if not name.startswith("_")}
    assert {name.partition(",")[0] for name in READS} == methods


class Slow(Server):
    """Answers every request with one fault."""

    def __init__(self, fault: "Fault") -> None:
        super().__init__()
        self._fault = fault

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        await self._fault(self, asked, connection)
        return True

    def challenge(self, _: ReceivedRequest) -> str:
        return f'WWW-Authenticate: Bearer realm="{self.url}/token"\r\n'


Fault: TypeAlias = Callable[[Slow, ReceivedRequest, Connection], Awaitable[None]]
Headers: TypeAlias = Callable[[Slow, ReceivedRequest], str]


async def _silence(_: Slow, asked: ReceivedRequest, connection: Connection) -> None:
    del asked
    await connection.end(Ending.SILENCE)


async def _drip(connection: Connection, head: str) -> None:
    await connection.send(head.encode())
    while True:
        await asyncio.sleep(PAUSE)
        await connection.send(b"x")


async def _head_drips(_: Slow, asked: ReceivedRequest, connection: Connection) -> None:
    del asked
    await _drip(connection, "HTTP/1.1 200 OK\r\nX-Long: ")


def _body_drips(status: str, headers: Headers = lambda *_: "") -> Fault:
    """Send a body byte by byte; the answer to a HEAD has none, so its head does not end."""

    async def fault(server: Slow, asked: ReceivedRequest, connection: Connection) -> None:
        length = LARGE.size if str(LARGE.digest) in asked.path else SMALL.size
        head = f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers(server, asked)}"
        await _drip(connection, f"{head}X-Long: " if asked.method == "HEAD" else f"{head}\r\n")

    return fault


def _then(path: str, status: str, headers: Headers, harm: Fault) -> Fault:
    """Lead the client to another address, which is harmed."""

    async def fault(server: Slow, asked: ReceivedRequest, connection: Connection) -> None:
        if asked.path.startswith(path):
            await harm(server, asked, connection)
        await connection.send(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n{headers(server, asked)}\r\n".encode())

    return fault


def _elsewhere(_: Slow, asked: ReceivedRequest) -> str:
    return f"Location: /elsewhere{asked.path}\r\n"


FAULTS: Mapping[str, Fault] = {
    "silence": _silence,
    "the head drips": _head_drips,
    "the body drips": _body_drips("200 OK"),
    "an error drips": _body_drips("500 Broken"),
    "a missing thing drips": _body_drips("404 Not Found"),
    "a rate limit drips": _body_drips("429 Too Many Requests"),
    "a redirect drips": _body_drips("307 Elsewhere", _elsewhere),
    "a challenge drips": _body_drips("401 Unauthorized", Slow.challenge),
    "the token drips": _then("/token", "401 Unauthorized", Slow.challenge, _body_drips("200 OK")),
    "the token service is silent": _then("/token", "401 Unauthorized", Slow.challenge, _silence),
    "the storage is silent": _then("/elsewhere", "307 Elsewhere", _elsewhere, _silence),
    "the storage drips": _then("/elsewhere", "307 Elsewhere", _elsewhere, _body_drips("200 OK")),
}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every limit, and take one try each."""
    for limit in (
        *("shared.registry.transport.SOURCE_SECONDS", "shared.planning.image_config.CONFIG_SECONDS"),
        *("import_worker.copying.stall.STALL_SECONDS", "shared.http_client.session.CONNECT_TIMEOUT"),
    ):
        monkeypatch.setattr(limit, LIMIT)
    monkeypatch.setattr("import_worker.copying.transfer.BLOB_TRIES", 1)
    monkeypatch.setattr("import_worker.copying.stream.DOWNLOAD_TRIES", 1)
    monkeypatch.setattr("shared.http_client.retry.FIRST_WAIT", 0.01)
    monkeypatch.setattr("shared.http_client.retry.LONGEST_WAIT", 0.01)


async def ends(opened: Opener, host: str, *plain: str) -> Mapping[str, str]:
    """Do all reads at once, each with a client of its own; return their errors' codes."""

    async def code(read: Callable[[RegistrySource], Awaitable[object]]) -> str:
        source = RegistrySource(await opened.loopback(*plain), Reference.parse(f"{host}/team/app:1"), None)
        try:
            await asyncio.wait_for(read(source), ENDLESS)
        except LongshoreError as error:
            return error.code.value
        return "no error"

    return dict(zip(READS, await asyncio.gather(*map(code, READS.values())), strict=True))


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_read_ends(opened: Opener, fault: str) -> None:
    """The error is the source's, and a stall where the read would not end by itself."""
    async with Slow(FAULTS[fault]) as server:
        found = await ends(opened, server.host, server.host)
    assert found == dict.fromkeys(READS, "source_stalled")


@asynccontextmanager
async def handshakes(answer: bytes) -> AsyncIterator[str]:
    """A server that answers a TLS handshake with these bytes, then one after the other, without end."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        serving.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            writer.write(answer)
            while answer:
                await asyncio.sleep(PAUSE)
                writer.write(b"x")
                await writer.drain()
            await asyncio.Event().wait()
        writer.transport.abort()

    server = await asyncio.start_server(serve, LOOPBACK)
    try:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await cancel_all(tuple(serving))


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x40\x00"], ids=["silent", "dripping"])
async def test_every_handshake_ends(opened: Opener, answer: bytes) -> None:
    """A record of 16 KiB, one byte after the other, would take a quarter of an hour."""
    async with handshakes(answer) as host:
        found = await ends(opened, host)
    assert set(found.values()) <= {"source_stalled", "source_unreachable"}


@pytest.fixture
def silent_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Name servers that answer for no name that ends with `.invalid`."""
    system, ended = socket.getaddrinfo, threading.Event()

    def look_up(host: str, *given: Any, **named: Any) -> Any:
        if host.endswith(".invalid"):
            ended.wait(ENDLESS)
            raise socket.gaierror(socket.EAI_AGAIN, "silent")
        return system(host, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    ended.set()


@pytest.mark.usefixtures("silent_names")
async def test_every_look_up_of_a_name_ends(opened: Opener) -> None:
    """The system's resolver may try for half a minute, for each of a source's names."""
    found = await ends(opened, "registry.invalid")
    assert set(found.values()) <= {"source_stalled", "source_unreachable"}


@pytest.mark.usefixtures("silent_names")
async def test_silent_names_hold_up_no_other_work(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """More names than the event loop has threads: the target is still found, and layers are still packed."""
    monkeypatch.setattr("shared.registry.transport.SOURCE_SECONDS", ENDLESS)
    monkeypatch.setattr("shared.http_client.session.CONNECT_TIMEOUT", ENDLESS)
    sources = await opened.loopback()
    slow = [
        asyncio.ensure_future(sources.registry(f"slow{number}.invalid").ping())
        for number in range(2 * (min(32, (os.cpu_count() or 1) + 4)))
    ]
    reached = asyncio.Event()

    async def note(_: Slow, asked: ReceivedRequest, connection: Connection) -> None:
        reached.set()
        await _silence(_, asked, connection)

    async with Slow(note) as server:
        monkeypatch.setattr("shared.http_client.session.CONNECT_TIMEOUT", LIMIT)
        target = await opened.loopback(f"localhost:{server.port}", side=Side.TARGET)
        asking = asyncio.ensure_future(target.registry(f"localhost:{server.port}").ping())
        async with asyncio.timeout(ENDLESS):
            await asyncio.to_thread(lambda: None)
            await reached.wait()
        assert not any(task.done() for task in slow)
        await cancel_all([asking, *slow])
