"""The number of blobs that a worker streams at once over all its imports, and the steps that do not wait for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from deploy.local.images.image import Image
from deploy.local.stack import synthetic_image
from import_worker.copying.image import ImageCopy
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest
from shared.planning.make_plan import make_plan
from shared.rate_limits.account import AccountLimits
from shared.rate_limits.lanes import Lane, Lanes, PoolLease
from shared.rate_limits.limits import Limits
from shared.runtime.concurrency import cancel_all
from tests.import_worker.ends import Board, DictLedger, DictSource, DictTarget

STREAMS = 3
# Concurrent blobs of one import, more than all imports together may have.
LAYERS = 4
# Far more than these copies need. Seconds.
DEADLINE = 10.0


@dataclass
class Crowd:
    """The number of open downloads per registry, and its maximum."""

    now: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)


@dataclass
class CrowdedSource(DictSource):
    """An image in a registry of this name, whose downloads are counted and take a moment."""

    host: str = "hub"
    crowd: Crowd = field(default_factory=Crowd)

    @asynccontextmanager
    async def open_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        self.crowd.now[self.host] += 1
        self.crowd.most |= self.crowd.now
        await asyncio.sleep(0.005)
        async with super().open_blob(blob, offset) as chunks:
            yield chunks
        self.crowd.now[self.host] -= 1


def image(seed: str) -> Image:
    return synthetic_image(seed, [1000 * n for n in range(1, 7)], platforms=("linux/amd64",))


async def allowed() -> None:
    """A fence that permits every write."""


async def prepared(
    source: DictSource, target: DictTarget, streams: PoolLease, ledger: DictLedger | None = None
) -> ImageCopy:
    plan = await make_plan(source, await source.resolve(), ())
    return ImageCopy(plan, source, target, ledger=ledger or DictLedger(), board=Board(), slots=LAYERS, streams=streams)


async def test_a_registrys_places_are_shared_by_all_imports() -> None:
    """Five imports from one registry share three streams; imports from another one do not wait for them."""
    lanes, crowd = Lanes(), Crowd()
    target = Lane("target", lambda: 2 * STREAMS)
    copies = []
    for number in range(10):
        host = "hub" if number % 2 else "quay"
        streams = lanes.lease(Lane(host, lambda: STREAMS), target)
        source = CrowdedSource(image(f"crowd-{number}"), host=host, crowd=crowd)
        copies.append(await prepared(source, DictTarget(), streams))
    # Planning has read each small config without a slot.
    crowd.most.clear()
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(copy.run("latest", allowed) for copy in copies))
    assert crowd.most == {"hub": STREAMS, "quay": STREAMS}
    assert not any(lanes.taken(name) for name in ("hub", "quay", "target"))


async def test_looks_and_mounts_do_not_wait_for_streams() -> None:
    """Large layers occupy every slot of the registry: existing and mountable blobs are handled all the same."""
    lanes, held = Lanes(), image("held")
    streams = lanes.lease(Lane("hub", lambda: 1))
    source = DictSource(held)
    there, elsewhere = held.blobs[: len(held.blobs) // 2], held.blobs[len(held.blobs) // 2 :]
    target = DictTarget(
        blobs={blob.digest: source.content(blob.digest) for blob in there},
        elsewhere={"other": {blob.digest: source.content(blob.digest) for blob in elsewhere}},
    )
    ledger = DictLedger({Digest.parse(blob.digest): "other" for blob in elsewhere})
    async with streams, asyncio.timeout(DEADLINE):
        await (await prepared(source, target, streams, ledger)).run("latest", allowed)
    assert target.manifests["latest"].content == held.root.body


async def test_a_failed_import_leaves_its_places_to_others() -> None:
    """After any failure, the next import has all slots."""
    lanes = Lanes()
    streams = lanes.lease(Lane("hub", lambda: STREAMS))
    broken = image("broken")
    source = DictSource(broken, damage={blob.digest: b"?" * blob.size for blob in broken.blobs if blob.size == 5000})
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(LongshoreError, match="blob_digest_mismatch"):
            await (await prepared(source, DictTarget(), streams)).run("latest", allowed)
        assert lanes.taken("hub") == 0
        await (await prepared(DictSource(image("whole")), DictTarget(), streams)).run("latest", allowed)


HOST_STREAMS = 16


def streams_between(limits: Limits, source: str, *, large: bool) -> PoolLease:
    """Return the places of a blob from this source, as a worker opens them."""
    ends = [AccountLimits(limits, host, None) for host in (source, "target")]
    return limits.lanes.lease(*(lane for end in ends for lane in end.stream_lanes(HOST_STREAMS, large=large)))


async def take(streams: PoolLease, count: int) -> list["asyncio.Task[None]"]:
    """Begin so many streams that do not end, and return their tasks."""

    async def hold() -> None:
        async with streams:
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(hold()) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_large_blobs_do_not_starve_small_ones() -> None:
    """Slow large layers of many imports and sources wait for places; a small image of another source has one."""
    limits = Limits()
    slow = [await take(streams_between(limits, f"slow-{n}", large=True), 5) for n in range(8)]
    assert limits.lanes.taken(("stream", "target")) == 12
    copied = image("small")
    streams = streams_between(limits, "quick", large=False)
    async with asyncio.timeout(DEADLINE):
        await (await prepared(DictSource(copied), DictTarget(), streams)).run("latest", allowed)
    await cancel_all([task for tasks in slow for task in tasks])
    assert not limits.lanes.taken(("large", ("stream", "target")))


async def test_small_blobs_do_not_starve_large_ones() -> None:
    """The large blob that has waited longest has the next place, although small ones come all the time."""
    limits = Limits()
    small, large = (streams_between(limits, "hub", large=large) for large in (False, True))
    queue = await take(small, HOST_STREAMS + 50)
    queue += await take(large, 1)
    for ended in range(51):
        assert not limits.lanes.taken(("large", ("stream", "hub")))
        queue += await take(small, 1)
        await cancel_all([queue[ended]])
    assert limits.lanes.taken(("large", ("stream", "hub"))) == 1
    await cancel_all(queue)
