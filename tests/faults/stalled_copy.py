"""Copies one layer between real registries over two links, with the worker's code in this process."""

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
# Far more than sockets and link buffer, and far less than the layer. Bytes.
MIDDLE = 32 * MIB
# A trickle that never stops, far below the minimum that counts as progress. Bytes per second.
DRIP = 200.0
POLL_SECONDS = 0.02
# The time until a fault takes effect. Seconds.
EFFECT_SECONDS = 30.0


def stalls(after: int) -> Mapping[str, tuple[Side, Fault]]:
    """Return the stalls from this byte of the layer on, by name, each with the side that the error must name."""
    return {
        "source frozen": (Side.SOURCE, Freeze(direction=Direction.TO_CLIENT, after=after)),
        "target frozen": (Side.TARGET, Freeze(direction=Direction.TO_SERVER, after=after)),
        "source drips": (Side.SOURCE, Pace(direction=Direction.TO_CLIENT, after=after, rate=DRIP)),
        "target drips": (Side.TARGET, Pace(direction=Direction.TO_SERVER, after=after, rate=DRIP)),
        # The target has received the whole layer, and does not respond.
        "target silent": (Side.TARGET, Freeze(direction=Direction.TO_CLIENT)),
    }


@contextmanager
def stall_limit(seconds: float) -> Iterator[None]:
    """Shorten the stall limit, and allow one try, so that the first stall is raised."""
    with (
        patch("import_worker.copying.stall.STALL_SECONDS", seconds),
        patch("import_worker.copying.transfer.BLOB_TRIES", 1),
    ):
        yield


class LastProgress:
    """The time of the target's last progress; like the product, it ignores a trickle."""

    def __init__(self) -> None:
        self.last = 0.0
        self._taken = 0

    def to(self, taken: int) -> None:
        """Record the target's bytes; compatible with `Advance`."""
        if taken - self._taken >= MIN_BYTES_PER_WINDOW:
            self._taken, self.last = taken, time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Stall:
    """A detected stall: its error code, and the seconds since the last progress."""

    code: str
    seconds: float


@dataclass
class StalledCopy:
    """A copy of the layer into which a fault is injected when its upload has begun; the source must have the layer."""

    from_source: Link
    to_target: Link
    repository: str

    async def stall(self, side: Side, fault: Fault) -> Stall:
        """Copy until the stall is detected, and return how long there was no progress.

        The time starts with the fault's first effect, or with the last progress: buffers may still drain.
        """
        harmed = self.from_source if side is Side.SOURCE else self.to_target
        affected: list[asyncio.Task[float]] = []
        moved = LastProgress()

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
    """Wait until the fault has affected a connection, and return the time."""
    limit = time.monotonic() + EFFECT_SECONDS
    while not any(link.counts().affected):
        if time.monotonic() > limit:
            raise TimeoutError("the fault had no effect")
        time.sleep(POLL_SECONDS)
    return time.monotonic()
