"""Uploads are cancelled at the target by the newest address that is known."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from deploy.local.stack import Registry
from import_worker.adapters.registry_target import RegistryTarget, RegistryUpload
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.http_client.body import Write
from shared.network.policy import NetworkPolicy
from shared.registry.client import open_registries
from shared.registry.repository import Repository
from shared.target.settings import TargetKind
from tests.shared.content import noise, pieces
from tests.shared.harbor.conftest import ADMIN, MEMBER, StandIn
from tests.shared.target.conftest import Place, managing

CONTENT = noise(300_000, 5)


class Log:
    """Keeps the records of a worker: each address in its order. Fits `UploadLog`."""

    def __init__(self, *, works: bool = True) -> None:
        self.works = works
        self.recorded: list[str] = []
        self.forgotten: list[str] = []

    async def record(self, address: str) -> bool:
        if self.works:
            self.recorded.append(address)
        return self.works

    async def forget(self, addresses: Sequence[str]) -> None:
        self.forgotten += addresses


class Half:
    """A body of which the first half is written; then `fail` is called, or the body waits until it is aborted."""

    size = 2 * len(CONTENT)

    def __init__(self, fail: Callable[[], None] | None = None) -> None:
        self.written = threading.Event()
        self._aborted = threading.Event()
        self._fail = fail

    def send_to(self, write: Write) -> None:
        write(memoryview(CONTENT))
        self.written.set()
        if self._fail:
            self._fail()
        self._aborted.wait()
        raise RuntimeError

    def abort(self) -> bool:
        self._aborted.set()
        return True


@pytest.fixture
async def written(place: Place) -> AsyncIterator[Repository]:
    """The place's repository, as a worker writes to it."""
    host = place.remote.address.netloc
    credential = ADMIN if "Authorization" in place.remote.headers else None
    async with open_registries(NetworkPolicy.of(plain_http=[host], trusted=True), Side.TARGET) as registries:
        yield registries.registry(host, credential).repository(place.repository)


@pytest.fixture
def size(request: pytest.FixtureRequest, place: Place) -> Callable[[], int]:
    """Return a function for the bytes in the uploads of the place's repository, on the disk of its registry."""
    name = "behind" if place.remote.headers.get("Authorization") else "target_registry"
    server: Registry = request.getfixturevalue(name)
    folder = server.root / "docker/registry/v2/repositories" / place.repository / "_uploads"
    return lambda: sum(file.stat().st_size for file in _data(folder))


def _data(folder: Path) -> list[Path]:
    return list(folder.rglob("data"))


async def opened(written: Repository, log: Log | None = None) -> tuple[RegistryTarget, RegistryUpload]:
    target = RegistryTarget(written, log)
    return target, await target.start_upload()


async def interrupt(upload: RegistryUpload) -> None:
    """Cancel the upload's request after half of its bytes, as when the import is cancelled."""
    body = Half()
    sending = asyncio.create_task(upload.append(0, body))
    await asyncio.to_thread(body.written.wait)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


def broken() -> None:
    raise LongshoreError(Code.SOURCE_UNAVAILABLE, "the source broke off")


async def test_an_upload_without_bytes_is_dropped_once(place: Place, written: Repository) -> None:
    """The second answer confirms it."""
    _, upload = await opened(written)
    assert not await place.management.discard_upload(place.repository, upload.address)
    assert await place.management.discard_upload(place.repository, upload.address)


async def test_an_upload_that_is_interrupted_is_dropped(
    place: Place, written: Repository, size: Callable[[], int]
) -> None:
    """The worker ends its request well, because distribution 2 cannot drop an upload whose request was cut."""
    log = Log()
    _, upload = await opened(written, log)
    await interrupt(upload)
    assert size() == len(CONTENT)
    assert log.recorded[-1] == upload.address != log.recorded[0]
    assert not await place.management.discard_upload(place.repository, log.recorded[-1])
    assert size() == 0
    assert await place.management.discard_upload(place.repository, log.recorded[-1])


async def test_an_upload_goes_on_where_its_source_broke(written: Repository) -> None:
    """Another worker continues it, also at a registry that loses uploads whose request was cut."""
    target, upload = await opened(written)
    with pytest.raises(LongshoreError, match="the source broke off"):
        await upload.append(0, Half(broken))
    resumed = target.resume_upload(upload.address)
    assert resumed
    assert await resumed.received() == len(CONTENT)


async def test_a_worker_drops_its_upload(written: Repository, size: Callable[[], int]) -> None:
    """By itself, as soon as it knows that the bytes are of no use."""
    log = Log()
    target, upload = await opened(written, log)
    with pytest.raises(LongshoreError, match="the source broke off"):
        await upload.append(0, Half(broken))
    await upload.cancel()
    assert size() == 0
    await target.settle()
    assert len(log.forgotten) == 1


async def test_an_upload_that_no_row_names_is_dropped_at_the_attempts_end(
    written: Repository, size: Callable[[], int]
) -> None:
    """The database was away: only this process knows the upload."""
    target, upload = await opened(written, Log(works=False))
    await interrupt(upload)
    assert size() == len(CONTENT)
    await target.settle()
    assert size() == 0


async def test_a_stream_is_dropped(place: Place, written: Repository, size: Callable[[], int]) -> None:
    """A layer of a Docker Engine, whose size is known at its end."""
    log = Log()
    stream = await RegistryTarget(written, log).start_stream()
    await stream.send(pieces(CONTENT))
    assert size() == len(CONTENT)
    await place.management.discard_upload(place.repository, log.recorded[-1])
    assert size() == 0


@pytest.mark.parametrize("source", ["waits", "fails"])
async def test_a_stream_that_is_interrupted_is_dropped(
    place: Place, written: Repository, size: Callable[[], int], source: str
) -> None:
    """The engine's export stands still or breaks, and the worker ends the request well."""
    log, sent = Log(), asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield CONTENT
        sent.set()
        if source == "fails":
            broken()
        await asyncio.Event().wait()

    stream = await RegistryTarget(written, log).start_stream()
    sending = asyncio.create_task(stream.send(chunks()))
    await sent.wait()
    if source == "waits":
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    else:
        with pytest.raises(LongshoreError, match="the source broke off"):
            await sending
    assert size() == len(CONTENT)
    await place.management.discard_upload(place.repository, log.recorded[-1])
    assert size() == 0


async def test_an_upload_of_another_repository_is_let_be(
    place: Place, written: Repository, size: Callable[[], int]
) -> None:
    _, upload = await opened(written)
    await interrupt(upload)
    assert await place.management.discard_upload(f"{place.repository}-other", upload.address)
    assert size() == len(CONTENT)


async def test_harbor_asks_for_the_permission_to_delete(standin: StandIn, harbor: Place) -> None:
    """A developer of the project may push, and not cancel: the upload stays, and the API says so."""
    async with (
        open_registries(NetworkPolicy.of(plain_http=[standin.host], trusted=True), Side.TARGET) as registries,
        managing(standin.host, TargetKind.HARBOR, MEMBER) as management,
    ):
        upload = await registries.registry(standin.host, MEMBER).repository(harbor.repository).start_upload()
        with pytest.raises(LongshoreError, match="target_denied"):
            await management.discard_upload(harbor.repository, upload.location)
    assert not await harbor.management.discard_upload(harbor.repository, upload.location)
