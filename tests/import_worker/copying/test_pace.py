"""The lowest average rate: an honest line is never cut while it can still be in time, and a drip ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from threading import Event
from time import monotonic

import pytest

from deploy.local.images.image import Image
from import_worker.copying import stall
from import_worker.copying.image import ImageCopy
from import_worker.copying.pace import PACE_SECONDS, SAMPLE_SECONDS, Line, Pace, PaceCheck
from import_worker.copying.stall import StallWatch, run_until_stalled
from shared.errors.codes import Side
from shared.errors.error import LongshoreError
from shared.oci.descriptor import Descriptor
from shared.planning.make_plan import make_plan
from tests.import_worker.copying.copies import allowed
from tests.import_worker.ends import Board, DictDownload, DictLedger, DictSource, DictTarget

KIB, MIB, GIB = 1024, 1024**2, 1024**3
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
# Just above the stall's own minimum of 64 KiB in a minute. Bytes per second.
DRIP = 1.1 * KIB
# Between two samples of a played line: the worker takes more of them. Seconds.
STEP = 30.0


@dataclass(frozen=True, kw_only=True)
class Flow:
    """A transfer of `size` bytes that gets this many bytes per second, and begins after so many seconds.

    `by_hour` are factors of the rate, for one hour after the other.
    """

    size: float
    rate: float
    begins: float = 0.0
    waits_for_target: bool = False
    by_hour: tuple[float, ...] = (1.0,)

    def rate_at(self, now: float) -> float:
        return self.rate * self.by_hour[int(now // HOUR) % len(self.by_hour)]


class Transfer:
    """A flow under way. Fits `pace.Counted`."""

    def __init__(self, flow: Flow, pace: Pace) -> None:
        self.flow, self.total, self.seconds = flow, 0, 0.0
        self.check = PaceCheck(pace, size=int(flow.size), left=lambda: int(flow.size) - self.total)

    @property
    def done(self) -> bool:
        return self.total >= self.flow.size

    def advance(self, now: float, seconds: float) -> None:
        self.total = min(int(self.flow.size), self.total + int(self.flow.rate_at(now) * seconds))
        self.seconds += 0.0 if self.flow.waits_for_target else seconds


def play(flows: Sequence[Flow], *, deadline: float | None = DAY) -> dict[int, float]:
    """Run the flows on one line until all have ended, been cut, or met the deadline; return when each was cut."""
    line, now = Line(), 0.0
    pace = Pace(line=line, deadline=deadline)
    waiting, running, cut = dict(enumerate(flows)), dict[int, Transfer](), dict[int, float]()
    while (waiting or running) and now < (deadline or 2 * DAY):
        for number in [number for number, flow in waiting.items() if flow.begins <= now]:
            running[number] = Transfer(waiting.pop(number), pace)
            line.begin(running[number], now)
        now += STEP
        for transfer in running.values():
            transfer.advance(now, STEP)
        for number, transfer in list(running.items()):
            too_slow = transfer.check.too_slow(now, transfer.total, transfer.seconds)
            if too_slow is not None and not transfer.done:
                cut[number] = now
            if transfer.done or number in cut:
                line.end(running.pop(number), now)
    return cut


FAST = [Flow(size=200 * MIB, rate=20 * MIB, begins=30.0 * number) for number in range(40)]

HONEST = {
    "40 GB in one layer, as slow as the deadline allows": [Flow(size=40e9, rate=1.02 * 40e9 / DAY)],
    "40 GB in four layers on a line of 500 KiB/s": [Flow(size=10e9, rate=125 * KIB)] * 4,
    "40 GB beside fast imports": [*[Flow(size=10e9, rate=125 * KIB)] * 4, *FAST],
    "the share of one of four workers behind 1 MiB/s": [Flow(size=300 * MIB, rate=16 * KIB)] * 16,
    "an unfair share: an eighth of the others'": [
        *[Flow(size=GIB, rate=64 * KIB)] * 15,
        Flow(size=200 * MIB, rate=8 * KIB),
    ],
    "20 layers of 4 GB on a line of 1 MiB/s": [Flow(size=4e9, rate=51 * KIB)] * 20,
    "a line that is slow by day and fast by night": [Flow(size=40e9, rate=1.2 * 40e9 / DAY, by_hour=(0.4, 1.6))],
    "many transfers end at once, and one goes on": [
        *[Flow(size=20 * MIB, rate=32 * KIB)] * 31,
        Flow(size=8e9, rate=100 * KIB),
    ],
    "a slow source beside fast imports": [Flow(size=150 * MIB, rate=17 * KIB), *FAST],
    "a small layer from a very slow source beside fast imports": [Flow(size=10 * MIB, rate=DRIP), *FAST],
    "a slow target": [Flow(size=GIB, rate=DRIP, waits_for_target=True), *FAST],
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_line_is_not_cut(name: str) -> None:
    """Whatever can be in time may be slow, alone or beside others; a slow target is the operator's own."""
    assert play(HONEST[name]) == {}


def test_a_deadline_of_a_month_allows_slower_lines() -> None:
    """The operator's setting decides how slow a large image may be."""
    assert play([Flow(size=40e9, rate=20 * KIB)], deadline=30 * DAY) == {}
    assert play([Flow(size=40e9, rate=20 * KIB)], deadline=DAY) != {}


def test_without_a_deadline_transfers_are_compared_alone() -> None:
    """An API of the last release does not send it."""
    assert play([Flow(size=40e9, rate=DRIP)], deadline=None) == {}
    assert play([Flow(size=40e9, rate=DRIP), *FAST], deadline=None) != {}


ATTACKS = {
    "a drip beside fast imports": ([Flow(size=GIB, rate=DRIP), *FAST], 6 * MINUTE),
    "20 drips beside fast imports": ([*[Flow(size=GIB, rate=DRIP)] * 20, *FAST], 6 * MINUTE),
    "a drip alone": ([Flow(size=GIB, rate=DRIP)], 6 * MINUTE),
    "a drip as fast as a drip of 40 GB can be": ([Flow(size=40e9, rate=100 * KIB)], 6 * MINUTE),
    "half of the rate that would be in time": ([Flow(size=40e9, rate=0.5 * 40e9 / DAY)], 17 * HOUR),
    "a drip that an import joins later": (
        [Flow(size=100 * MIB, rate=DRIP), *(Flow(size=GIB, rate=5 * MIB, begins=HOUR) for _ in range(2))],
        HOUR + 6 * MINUTE,
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_drip_just_above_the_stall_ends(name: str) -> None:
    """Each drip of the attack is cut by then, and nothing else is."""
    flows, latest = ATTACKS[name]
    cut = play(flows)
    slow = {number for number, flow in enumerate(flows) if flow.rate < MIB}
    assert set(cut) == slow
    assert max(cut.values()) <= latest
    assert min(cut.values()) >= PACE_SECONDS


async def test_a_drip_is_reported_as_a_stall_of_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch itself: the drip is above the stall's minimum, and the reason names the rate."""
    clock = [1000.0]
    monkeypatch.setattr(stall, "monotonic", lambda: clock[0])
    monkeypatch.setattr(stall, "CHECK_SECONDS", 0.0)
    pace = Pace(deadline=clock[0] + DAY)
    watch = StallWatch(line=pace.line, pace=PaceCheck(pace, size=GIB, left=lambda: GIB - watch.total))
    watch.wait_for(Side.SOURCE)

    async def drip() -> None:
        while True:
            clock[0] += SAMPLE_SECONDS
            watch.moved(int(DRIP * SAMPLE_SECONDS))
            await asyncio.sleep(0)

    with pytest.raises(LongshoreError, match=r"source_stalled.*A layer arrives too slowly: for 300 seconds, below"):
        await run_until_stalled(drip(), watch, "A layer")
    assert 1000 + PACE_SECONDS <= clock[0] <= 1000 + PACE_SECONDS + MINUTE
    # It no longer counts: its bytes stay.
    assert pace.line.transfer_seconds(clock[0]) == pace.line.transfer_seconds(clock[0] + HOUR)
    assert pace.line.moved() == watch.total


class DrippingDownload(DictDownload):
    """Yields one byte after the other until `ended`, which lets the threads end with the test."""

    def __init__(self, content: memoryview, offset: int, ended: Event) -> None:
        super().__init__(content, offset, None)
        self._ended = ended

    def read_into(self, buffer: memoryview) -> int:
        return super().read_into(buffer if self._ended.wait(0.02) else buffer[:1])


class DrippingSource(DictSource):
    """Drips every blob."""

    def __init__(self, image: Image) -> None:
        super().__init__(image)
        self.ended = Event()

    @asynccontextmanager
    async def download_blob(self, blob: Descriptor, offset: int = 0) -> AsyncIterator[DictDownload]:
        content = self.content(str(blob.digest))
        self.opened.append((str(blob.digest), offset))
        yield DrippingDownload(memoryview(content), offset, self.ended)


@pytest.mark.usefixtures("quick_retries")
async def test_a_layer_that_drips_ends_the_copy(image: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace of the import reaches its transfers: a new connection goes on where the slow one was, then it ends."""
    monkeypatch.setattr("import_worker.copying.transfer.WHOLE_SIZE", 1_000)
    monkeypatch.setattr("import_worker.copying.pace.PACE_SECONDS", 1.0)
    monkeypatch.setattr("import_worker.copying.pace.SAMPLE_SECONDS", 0.0)
    source, target = DrippingSource(image), DictTarget()
    plan = await make_plan(source, await source.resolve(), ())
    pace = Pace(deadline=monotonic() + 20)
    copying = ImageCopy(plan, source, target, ledger=DictLedger(), board=Board(), slots=2, pace=pace)
    try:
        with pytest.raises(LongshoreError, match=r"source_stalled.*arrives too slowly"):
            await asyncio.wait_for(copying.run("latest", allowed), 60)
    finally:
        source.ended.set()
    assert any(offset for _, offset in source.opened)
    assert target.manifests == {}
