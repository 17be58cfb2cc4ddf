"""A source that sends a byte now and then: each read of it has a time in all, however often a byte arrives."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from yarl import URL

from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.http_client.bulk.connection import BulkConnection
from shared.oci import media_types
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.manifest import Manifest
from shared.planning.image_config import read_config
from shared.registry.repository import Repository
from tests.scripted.hostile import Answer, HostileRegistry
from tests.shared.content import described, noise
from tests.shared.fixtures import Opener

CONTENT = noise(30_000)
BLOB = described(CONTENT)
PATHS = {
    "tag": ("HEAD", "/v2/team/app/manifests/1.0"),
    "manifest": ("GET", f"/v2/team/app/manifests/{BLOB.digest}"),
    "tags": ("GET", "/v2/team/app/tags/list"),
    "referrers": ("GET", f"/v2/team/app/referrers/{BLOB.digest}"),
    "blob": ("GET", f"/v2/team/app/blobs/{BLOB.digest}"),
}
DRIPPING_HEAD = Answer(raw=b"HTTP/1.1 200 OK\r\nX-Long: ", drips=True)
# The shortened time in all, and a limit that only an endless read exceeds. Seconds.
IN_ALL = 0.5
ENDLESS = 30.0


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.registry.transport.SOURCE_SECONDS", IN_ALL)
    monkeypatch.setattr("shared.planning.image_config.CONFIG_SECONDS", IN_ALL)


@pytest.fixture
async def there(opened: Opener, hostile: HostileRegistry) -> Repository:
    registries = await opened.loopback(hostile.host, side=Side.SOURCE)
    return registries.registry(hostile.host).repository("team/app")


async def ask(there: Repository, what: str) -> None:
    if what == "tag":
        await there.find_manifest("1.0")
    elif what == "manifest":
        await there.get_manifest(str(BLOB.digest))
    elif what == "tags":
        await there.list_tags()
    elif what == "referrers":
        await there.list_referrers(BLOB.digest)
    else:
        async with there.open_blob(BLOB):
            pass


@pytest.mark.parametrize("what", PATHS)
async def test_a_head_that_drips_ends(there: Repository, hostile: HostileRegistry, what: str) -> None:
    """A minute between two bytes of a header would be a read without end."""
    hostile.on(*PATHS[what], DRIPPING_HEAD)
    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(ask(there, what), ENDLESS)


@pytest.mark.parametrize("status", [200, 307, 401, 500])
async def test_a_body_that_drips_ends(there: Repository, hostile: HostileRegistry, status: int) -> None:
    """The bodies of redirects, challenges and errors are read, too; a stalled request is not repeated in place."""
    headers = {"Location": "/elsewhere", "WWW-Authenticate": f'Bearer realm="http://{hostile.host}/token"'}
    hostile.on(*PATHS["manifest"], Answer(status=status, headers=headers, length=60_000, drips=True))
    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(ask(there, "manifest"), ENDLESS)
    assert len(hostile.asked) == 1


async def test_a_token_that_drips_ends(there: Repository, hostile: HostileRegistry) -> None:
    headers = {"WWW-Authenticate": f'Bearer realm="http://{hostile.host}/token"'}
    hostile.on(*PATHS["manifest"], Answer(status=401, headers=headers))
    hostile.on("GET", "/token", Answer(length=60_000, drips=True))
    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(ask(there, "manifest"), ENDLESS)


async def test_a_configuration_that_drips_ends(there: Repository, hostile: HostileRegistry) -> None:
    """Four megabytes would have taken 231 days."""
    config = Descriptor(media_type=media_types.OCI_CONFIG, digest=BLOB.digest, size=BLOB.size)
    hostile.on(*PATHS["blob"], Answer(length=BLOB.size, drips=True))

    class Source:
        open_blob = staticmethod(there.open_blob)

        async def fetch_manifest(self, digest: Digest, limit: int = 0) -> Manifest:
            raise NotImplementedError(digest, limit)

    document = (
        f'{{"schemaVersion":2,"mediaType":"{media_types.OCI_MANIFEST}","layers":[],"config":{{"mediaType":'
        f'"{config.media_type}","digest":"{config.digest}","size":{config.size}}}}}'
    )
    manifest = Manifest.parse(document.encode(), media_types.OCI_MANIFEST)
    with pytest.raises(LongshoreError, match="source_stalled"):
        await asyncio.wait_for(read_config(Source(), manifest), ENDLESS)


@pytest.fixture
def dripping() -> Iterator[tuple[socket.socket, URL]]:
    """A server that answers one connection byte by byte, without end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server, URL(f"https://127.0.0.1:{server.getsockname()[1]}")


def drip(server: socket.socket, first: bytes, stop: threading.Event) -> None:
    """Accept a connection and send these bytes, then one more every tenth of a second."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.sendall(first)
        while not stop.wait(0.1):
            connection.sendall(b"x")


def test_the_head_of_a_bulk_answer_has_a_time_in_all(dripping: tuple[socket.socket, URL]) -> None:
    server, url = dripping
    stop = threading.Event()
    thread = threading.Thread(target=drip, args=(server, b"HTTP/1.1 200 OK\r\nX-Long: ", stop))
    thread.start()
    began = time.monotonic()
    connection = BulkConnection(socket.create_connection((url.host or "", url.port or 0)), timeout=IN_ALL)
    connection.start("GET", "/", [("Host", "localhost")])
    with pytest.raises(TimeoutError):
        connection.read_head()
    assert time.monotonic() - began < ENDLESS
    stop.set()
    connection.close()
    thread.join()
