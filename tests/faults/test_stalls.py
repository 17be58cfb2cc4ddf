"""A layer between real registries whose way freezes or drips: found in time, and the right side named."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import uvloop

from deploy.local.stack import Registry, Remote, Scratch, synthetic_layer
from import_worker.copy_blob import Began, copy_blob
from import_worker.flow import Advance
from import_worker.target import RegistryTarget
from shared.errors import LongshoreError, Side
from shared.network.policy import NetworkPolicy
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.reference import Reference
from shared.registry.client import open_registries
from shared.registry.source import RegistrySource
from tests.faults.fault import Fault, Freeze, Pace, Way
from tests.faults.link import Link

MIB = 1024 * 1024
LAYER = synthetic_layer("stalls", 64 * MIB)
BLOB = Descriptor(media_type=LAYER.media_type, digest=Digest.parse(LAYER.digest), size=LAYER.size)
# Far more than the sockets and the link hold between them, and far less than the layer. Bytes.
MIDDLE = 32 * MIB
# The limit, shortened for the tests, and how much later a stall may be found. Seconds.
LIMIT = 6.0
LATEST = LIMIT * 1.1
# A trickle that never stops, far below the least that counts as moving. Bytes a second.
DRIP = 200.0
POLL_SECONDS = 0.02


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run on the event loop that the services run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short limit, and one try, so that the first stall comes out."""
    monkeypatch.setattr("import_worker.flow.STALL_SECONDS", LIMIT)
    monkeypatch.setattr("import_worker.copy_blob.BLOB_TRIES", 1)


@pytest.fixture(scope="module")
def from_source(scratch: Scratch, public_registry: Registry) -> Iterator[Link]:
    Remote.of(public_registry).push_blob("stalls", LAYER)
    with Link(scratch, public_registry.port, name="stalling-source") as link:
        yield link


@pytest.fixture(scope="module")
def to_target(scratch: Scratch, target_registry: Registry) -> Iterator[Link]:
    with Link(scratch, target_registry.port, name="stalling-target") as link:
        yield link


def wait_until_struck(link: Link) -> float:
    """Return when the fault that is set has begun to work."""
    limit = time.monotonic() + LATEST
    while not any(link.counts().struck):
        assert time.monotonic() < limit
        time.sleep(POLL_SECONDS)
    return time.monotonic()


class Moved:
    """When the target last took bytes, and how many it had by then."""

    def __init__(self) -> None:
        self.last = 0.0
        self._taken = 0

    def to(self, taken: int) -> None:
        """Take note of how many bytes the target has; fits `Advance`."""
        if taken > self._taken:
            self._taken, self.last = taken, time.monotonic()


@dataclass
class Copying:
    """A copy of the layer that is harmed as soon as its upload has begun."""

    from_source: Link
    to_target: Link
    repository: str

    async def seconds_to_stall(self, side: Side, fault: Fault) -> float:
        """Copy until the stall is found, which names the side; return how long nothing had moved.

        That is since the fault's first effect, or since bytes moved last: buffers on the way still take some.
        """
        harmed = self.from_source if side is Side.SOURCE else self.to_target
        struck: list[asyncio.Task[float]] = []
        moved = Moved()

        async def began(_address: str) -> None:
            await asyncio.to_thread(harmed.set, fault)
            struck.append(asyncio.create_task(asyncio.to_thread(wait_until_struck, harmed)))

        try:
            with pytest.raises(LongshoreError) as caught:
                await self._copy(began, moved.to)
            found = time.monotonic()
        finally:
            await asyncio.to_thread(harmed.set)
            harmed.reset()
        assert caught.value.code == f"{side}_stalled"
        return found - max(await struck[0], moved.last)

    async def _copy(self, began: Began, advance: Advance) -> None:
        async with AsyncExitStack() as stack:
            hosts = [self.from_source.host, self.to_target.host]
            policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], plain_http=hosts)
            sources = await stack.enter_async_context(open_registries(policy, Side.SOURCE))
            targets = await stack.enter_async_context(open_registries(policy, Side.TARGET))
            source = RegistrySource(sources, Reference(self.from_source.host, "stalls", "1.0"), None)
            target = RegistryTarget(targets.registry(self.to_target.host).repository(self.repository))
            await copy_blob(BLOB, source, target, kept=None, began=began, advance=advance)


@pytest.fixture
def copying(from_source: Link, to_target: Link, repository: str) -> Copying:
    return Copying(from_source, to_target, repository)


@pytest.mark.parametrize(
    ("side", "way"), [(Side.SOURCE, Way.TO_CLIENT), (Side.TARGET, Way.TO_SERVER)], ids=["source", "target"]
)
async def test_a_freeze_is_found(copying: Copying, side: Side, way: Way) -> None:
    """In the middle of the layer nothing passes any more, on connections that stay open."""
    assert LIMIT * 0.9 < await copying.seconds_to_stall(side, Freeze(way=way, after=MIDDLE)) < LATEST


@pytest.mark.parametrize(
    ("side", "way"), [(Side.SOURCE, Way.TO_CLIENT), (Side.TARGET, Way.TO_SERVER)], ids=["source", "target"]
)
async def test_a_drip_is_found(copying: Copying, side: Side, way: Way) -> None:
    """A connection that is never silent is found as soon as one that is."""
    assert await copying.seconds_to_stall(side, Pace(way=way, after=MIDDLE, rate=DRIP)) < LATEST


async def test_a_target_that_does_not_answer_is_found(copying: Copying) -> None:
    """It has taken the whole layer, and says nothing."""
    assert await copying.seconds_to_stall(Side.TARGET, Freeze(way=Way.TO_CLIENT)) < LATEST
