"""How fast this worker's transfers from a source are: what an import can expect of a transfer of its own.

Why: docs/decisions/0054.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import Self

from import_worker.copying.ends import Holder
from shared.oci.digest import Digest

# Expected of a source that this worker has not measured: fewer bytes a second make a layer of 100 MiB last for seven
# minutes. A source that is slower throughout is measured by the transfer that shows it.
DEFAULT_RATE = 256 * 1024
# A transfer counts from this time on: before, connecting weighs more than bytes. Seconds.
MIN_MEASURED_SECONDS = 2.0
# Transfers that have ended count for this time: sources become slower and faster. Seconds.
MEMORY_SECONDS = 600.0
# Of those that have ended, only the newest count.
MEMORY_TRANSFERS = 8
# Sources that are remembered, the most recently used: some bytes each, and users may name any number of them.
MEMORY_SOURCES = 256


@dataclass(slots=True)
class _Source:
    """The rates from one source, in bytes per second: of transfers under way, and of those that have ended."""

    active: dict["TransferMeter", float] = field(default_factory=dict)
    ended: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=MEMORY_TRANSFERS))


class TransferRates:
    """The rates of a worker's transfers, by source."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._sources: OrderedDict[str | None, _Source] = OrderedDict()

    def of(self, host: str | None, import_name: str) -> "SourceRate":
        """Return the rates from a source, as one import measures and uses them."""
        return SourceRate(self, host, import_name)

    def source(self, host: str | None) -> _Source:
        """Return the rates from a source; the one that was not used for longest may be forgotten."""
        source = self._sources.setdefault(host, _Source())
        self._sources.move_to_end(host)
        if len(self._sources) > MEMORY_SOURCES:
            self._sources.popitem(last=False)
        return source

    def now(self) -> float:
        """Return the time, in seconds."""
        return self._clock()


@dataclass(frozen=True, slots=True)
class SourceRate:
    """The rates from one source, for one import."""

    rates: TransferRates
    host: str | None
    import_name: str

    def measure(self, digest: Digest, *, resumed: bool = False) -> "TransferMeter":
        """Return a meter for a transfer that begins now; a resumed one begins at an offset that is not known yet."""
        return TransferMeter(self, digest, first=None if resumed else 0)

    def expected(self, digest: Digest, holder: Holder | None) -> float:
        """Return the bytes per second to expect of an own transfer of the blob, which `holder` transfers now.

        It is the median, so that neither one slow transfer nor a fast one decides. The holder's transfer is left out:
        the question is whether another one would be faster.
        """
        source, now = self.rates.source(self.host), self.rates.now()
        other = holder.import_name if holder else None
        known = [rate for at, rate in source.ended if now - at < MEMORY_SECONDS]
        known += [rate for meter, rate in source.active.items() if not meter.belongs_to(other, digest)]
        return max(1.0, median(known)) if known else DEFAULT_RATE


class TransferMeter:
    """Measures one transfer, for as long as a `with` block lasts."""

    def __init__(self, rate: SourceRate, digest: Digest, *, first: int | None) -> None:
        """Measure from the blob's byte `first` on; None: from the first offset that is recorded."""
        self._rate = rate
        self._digest = digest
        self._source = rate.rates.source(rate.host)
        self._started = rate.rates.now()
        self._first = first

    def belongs_to(self, import_name: str | None, digest: Digest) -> bool:
        """Return whether this is that import's transfer of that blob."""
        return (self._rate.import_name, self._digest) == (import_name, digest)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the measurement; a transfer that was too short to be measured does not count."""
        rate = self._source.active.pop(self, None)
        if rate is not None:
            self._source.ended.append((self._rate.rates.now(), rate))

    def advance(self, offset: int) -> None:
        """Record how many bytes of the blob have arrived, those of an earlier upload included."""
        if self._first is None:
            self._first = offset
        elapsed = self._rate.rates.now() - self._started
        if elapsed >= MIN_MEASURED_SECONDS:
            self._source.active[self] = max(offset - self._first, 0) / elapsed

    def complete(self, size: int) -> None:
        """Record that the transfer has ended with the whole blob, of this size, even after a short time."""
        if self._first is None:
            return
        elapsed = max(self._rate.rates.now() - self._started, 0.001)
        self._source.active[self] = (size - self._first) / elapsed
