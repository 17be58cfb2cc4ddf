"""When an import leaves another import's transfer: by the rate of that transfer, and the rates of its source."""

from dataclasses import dataclass, field

import pytest

from import_worker.copying.awaited import MAX_WATCHED_SECONDS, MIN_EXPECTED_SECONDS, AwaitedTransfer
from import_worker.copying.ends import Holder, WaitForTransfer
from import_worker.copying.rates import DEFAULT_RATE, MEMORY_SECONDS, MEMORY_SOURCES, TransferRates
from shared.oci.descriptor import Descriptor
from shared.oci.digest import Digest

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
HOST = "registry.example.com"
OTHER = Holder(import_name="other", attempt=1)
DIGEST = Digest.of(b"layer")


@dataclass
class Clock:
    """A clock that a test moves. Seconds."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Waiting:
    """An import that waits for a blob of this size from HOST."""

    size: int
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.rates = TransferRates(self.clock)
        self.rate = self.rates.of(HOST, "own")
        blob = Descriptor(media_type="layer", digest=DIGEST, size=self.size)
        self.awaited = AwaitedTransfer(blob, self.rate, self.clock)

    def measure(self, rate: int, *, name: str = "measured", digest: Digest = DIGEST) -> None:
        """Let an import of this worker end a transfer at this rate."""
        with self.rates.of(HOST, name).measure(digest) as meter:
            self.clock.at += 1
            meter.complete(rate)

    def leaves_after(self, rate: float, *, begin: int = 0, holder: Holder = OTHER, limit: float = 1e5) -> float | None:
        """Watch a transfer of this rate to its end; return after how many seconds the import leaves it."""
        began, offset = self.clock.at, float(begin)
        while offset < self.size and self.clock.at - began < limit:
            if self.awaited.is_slow(WaitForTransfer(int(offset), holder=holder)):
                return self.clock.at - began
            self.clock.at += 2
            offset += 2 * rate
        return None


def test_a_slow_transfer_is_left_soon() -> None:
    """A layer of 2 MiB at 2 KiB a second, from a source that is not known."""
    left = Waiting(2 * MIB).leaves_after(2 * KIB)
    assert left
    assert MIN_EXPECTED_SECONDS <= left <= MIN_EXPECTED_SECONDS + 4


def test_a_transfer_that_stands_still_is_left_before_it_ends_as_stalled() -> None:
    """Also where it was fast at first."""
    waiting = Waiting(10 * GIB)
    waiting.measure(100 * MIB)
    left = waiting.leaves_after(0, begin=5 * GIB)
    assert left
    assert left <= MAX_WATCHED_SECONDS + 4


@pytest.mark.parametrize("size", [2 * MIB, 100 * MIB, 10 * GIB])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.4])
def test_a_transfer_that_is_about_as_fast_is_awaited_to_its_end(size: int, share: float) -> None:
    """From the first byte on, although the rest would take longer than an own transfer of the whole blob."""
    waiting = Waiting(size)
    waiting.measure(100 * MIB)
    assert waiting.leaves_after(share * 100 * MIB) is None


def test_a_transfer_that_is_nearly_done_is_awaited_although_it_is_slow() -> None:
    """The rest takes twice as long as an own transfer of the whole blob, which a tenth of its rate explains."""
    waiting = Waiting(10 * GIB)
    waiting.measure(100 * MIB)
    assert waiting.leaves_after(10 * MIB, begin=8 * GIB) is None
    assert waiting.leaves_after(10 * MIB, begin=GIB) is not None


def test_a_pause_within_the_watched_time_is_no_reason_to_leave() -> None:
    """A target that commits elsewhere may let a large blob stand still for half a minute."""
    waiting = Waiting(10 * GIB)
    waiting.measure(100 * MIB)
    for offset in [n * 200 * MIB for n in range(20)] + [4000 * MIB] * 15:
        assert not waiting.awaited.is_slow(WaitForTransfer(offset, holder=OTHER))
        waiting.clock.at += 2


def test_a_blob_that_has_arrived_and_is_being_committed_is_awaited() -> None:
    """The own transfer would have to be committed as well."""
    waiting = Waiting(2 * MIB)
    for _ in range(100):
        assert not waiting.awaited.is_slow(WaitForTransfer(2 * MIB, holder=OTHER))
        waiting.clock.at += 2


def test_a_new_holder_and_a_new_beginning_are_watched_anew() -> None:
    """What the transfer before did says nothing about this one."""
    waiting = Waiting(100 * MIB)
    assert waiting.leaves_after(KIB) is not None
    assert not waiting.awaited.is_slow(WaitForTransfer(0, holder=Holder(import_name="third", attempt=1)))
    waiting.clock.at += 30
    assert not waiting.awaited.is_slow(WaitForTransfer(0, holder=OTHER))
    waiting.clock.at += 30
    assert not waiting.awaited.is_slow(WaitForTransfer(10, holder=OTHER))
    assert not waiting.awaited.is_slow(WaitForTransfer(5, holder=OTHER))


def test_after_it_has_found_a_transfer_slow_an_import_watches_anew() -> None:
    """Where the claim was refused all the same, it does not ask again at once."""
    waiting = Waiting(2 * MIB)
    assert waiting.leaves_after(KIB) is not None
    assert not waiting.awaited.is_slow(WaitForTransfer(KIB, holder=OTHER))


def test_a_source_that_is_slow_throughout_is_not_read_twice() -> None:
    """The worker sees that another transfer from it, even of this blob, is no faster than the awaited one."""
    waiting = Waiting(100 * MIB)
    with waiting.rates.of(HOST, "left behind").measure(DIGEST) as meter:
        waiting.clock.at += 10
        meter.advance(40 * KIB)
        assert waiting.leaves_after(4 * KIB) is None


def test_the_awaited_transfer_is_no_measure_of_itself() -> None:
    """The one slow transfer of this worker is the awaited one: nothing says that another one would be as slow."""
    waiting = Waiting(100 * MIB)
    with waiting.rates.of(HOST, OTHER.import_name).measure(DIGEST) as meter:
        waiting.clock.at += 10
        meter.advance(20 * KIB)
        assert waiting.rate.expected(DIGEST, OTHER) == DEFAULT_RATE
        assert waiting.rate.expected(DIGEST, None) == 2 * KIB
        assert waiting.leaves_after(2 * KIB) is not None


def test_neither_one_slow_transfer_nor_a_fast_one_decides() -> None:
    """The median of what is known counts."""
    waiting = Waiting(100 * MIB)
    for rate in (10 * MIB, KIB, 20 * MIB, 12 * MIB, GIB):
        waiting.measure(rate)
    assert waiting.rate.expected(DIGEST, OTHER) == 12 * MIB


def test_old_measures_and_other_sources_do_not_count() -> None:
    """Without any, the documented default does."""
    waiting = Waiting(100 * MIB)
    waiting.measure(10 * MIB)
    assert waiting.rates.of("elsewhere.example.com", "own").expected(DIGEST, OTHER) == DEFAULT_RATE
    waiting.clock.at += MEMORY_SECONDS
    assert waiting.rate.expected(DIGEST, OTHER) == DEFAULT_RATE


def test_the_memory_of_sources_is_bounded() -> None:
    """Users may name any number of them; the last ones count."""
    waiting = Waiting(100 * MIB)
    waiting.measure(10 * MIB)
    for number in range(MEMORY_SOURCES):
        waiting.rates.of(f"{number}.example.com", "own").expected(DIGEST, None)
    assert waiting.rate.expected(DIGEST, OTHER) == DEFAULT_RATE


def test_a_resumed_transfer_is_measured_from_where_it_began() -> None:
    """The bytes of the earlier upload did not come at this rate."""
    waiting = Waiting(100 * MIB)
    with waiting.rate.measure(DIGEST, resumed=True) as meter:
        meter.advance(90 * MIB)
        waiting.clock.at += 10
        meter.advance(91 * MIB)
        assert waiting.rate.expected(DIGEST, OTHER) == MIB / 10
