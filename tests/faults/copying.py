"""One layer on its way between real registries, over two links, as a worker moves it, in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

from deploy.local.stack import synthetic_layer
from import_worker.adapters.registry_target import RegistryTarget
from import_worker.copying.stall import MIN_BYTES_PER_WINDOW, Advance
from import_worker.copying.transfer import BlobTransfer, UploadStarted
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.network.policy import NetworkPolicy
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.oci.reference import Reference
from shared.registry.client import open_registries
from shared.registry.source import RegistrySource
from tests.faults.fault import Direction, Fault, Freeze, Pace
from tests.faults.link import Link

MIB = 1024 * 1024
REPOSITORY = "stalls"
LAYER = synthetic_layer("stalls", 64 * MIB)
BLOB = Descriptor(media_type=LAYER.media_type, digest=Digest.parse(LAYER.digest), size=LAYER.size)
# Far more than the sockets and the link hold between them, and far less than the layer. Bytes.
MIDDLE = 32 * MIB
# A trickle that never stops, far below the least that counts as moving. Bytes a second.
DRIP = 200.0
POLL_SECONDS = 0.02
# What a fault may take until it strikes. Seconds.
EFFECT_SECONDS = 30.0


def stalls(after: int) -> Mapping[str, tuple[Side, Fault]]:
    """Return what may go wrong from that byte of the layer's way on, by name, with the side that is to be named."""
    return {
        "source frozen": (Side.SOURCE, Freeze(direction=Direction.TO_CLIENT, after=after)),
        "target frozen": (Side.TARGET, Freeze(direction=Direction.TO_SERVER, after=after)),
        "source drips": (Side.SOURCE, Pace(direction=Direction.TO_CLIENT, after=after, rate=DRIP)),
        "target drips": (Side.TARGET, Pace(direction=Direction.TO_SERVER, after=after, rate=DRIP)),
        # It has taken the whole layer, and says nothing.
        "target silent": (Side.TARGET, Freeze(direction=Direction.TO_CLIENT)),
    }


@contextmanager
def impatient(seconds: float) -> Iterator[None]:
    """Shorten the limit, and try once, so that the first stall comes out."""
    with (
        patch("import_worker.copying.stall.STALL_SECONDS", seconds),
        patch("import_worker.copying.transfer.BLOB_TRIES", 1),
    ):
        yield


class Moved:
    """When the target last took bytes worth counting: a trickle counts as nothing, as in the product."""

    def __init__(self) -> None:
        self.last = 0.0
        self._taken = 0

    def to(self, taken: int) -> None:
        """Take note of how many bytes the target has; fits `Advance`."""
        if taken - self._taken >= MIN_BYTES_PER_WINDOW:
            self._taken, self.last = taken, time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Stall:
    """How a stall was found: with this code, so many seconds after anything moved."""

    code: str
    seconds: float


@dataclass
class Copying:
    """A copy of the layer that is harmed as soon as its upload has begun; the source must have it."""

    from_source: Link
    to_target: Link
    repository: str

    async def stall(self, side: Side, fault: Fault) -> Stall:
        """Copy until the stall is found, and return how long nothing had moved.

        That is since the fault's first effect, or since bytes moved last: buffers on the way still take some.
        """
        harmed = self.from_source if side is Side.SOURCE else self.to_target
        affected: list[asyncio.Task[float]] = []
        moved = Moved()

        async def upload_started(_address: str) -> None:
            await asyncio.to_thread(harmed.set, fault)
            affected.append(asyncio.create_task(asyncio.to_thread(_wait_until_affected, harmed)))

        try:
            await self._copy(upload_started, moved.to)
        except LongshoreError as error:
            found = time.monotonic()
            return Stall(code=error.code, seconds=found - max(await affected[0], moved.last))
        finally:
            await asyncio.to_thread(harmed.set)
            harmed.reset()
        return Stall(code="", seconds=0.0)

    async def _copy(self, upload_started: UploadStarted, advance: Advance) -> None:
        async with AsyncExitStack() as stack:
            hosts = [self.from_source.host, self.to_target.host]
            policy = NetworkPolicy.of(allowed_private=["127.0.0.0/8"], plain_http=hosts)
            sources = await stack.enter_async_context(open_registries(policy, Side.SOURCE))
            targets = await stack.enter_async_context(open_registries(policy, Side.TARGET))
            source = RegistrySource(sources, Reference(self.from_source.host, REPOSITORY, "1.0"), None)
            target = RegistryTarget(targets.registry(self.to_target.host).repository(self.repository))
            await BlobTransfer(BLOB, source, target, upload_started=upload_started, advance=advance).run()


def _wait_until_affected(link: Link) -> float:
    """Return when the fault that is set has begun to work."""
    limit = time.monotonic() + EFFECT_SECONDS
    while not any(link.counts().affected):
        if time.monotonic() > limit:
            raise TimeoutError("the fault did not strike")
        time.sleep(POLL_SECONDS)
    return time.monotonic()
