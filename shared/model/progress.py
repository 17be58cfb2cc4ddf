"""The progress of layers and of whole imports, as arithmetic on bytes; progress never decreases."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum


class LayerStatus(StrEnum):
    """The status of one blob of an image, with the contract's values."""

    PENDING = "pending"
    DOWNLOADING = "downloading"
    COMPLETED = "completed"
    FAILED = "failed"


class Transfer(StrEnum):
    """How a blob reached the target."""

    COPIED = "copied"
    """Streamed from the source."""
    MOUNTED = "mounted"
    """Mounted from another repository of the target; no bytes were transferred."""
    EXISTING = "existing"
    """Found in the target's repository, or a foreign layer that no registry holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProgress:
    """One blob: `offset` of `size` bytes have arrived in the target."""

    size: int
    offset: int = 0
    status: LayerStatus = LayerStatus.PENDING
    transfer: Transfer | None = None

    @property
    def percent(self) -> int:
        """0 to 100; 100 only when the blob is committed, even if it is empty."""
        if self.status is LayerStatus.COMPLETED:
            return 100
        return min(99, percent_of(self.offset, self.size))

    def merged(self, newer: "LayerProgress") -> "LayerProgress":
        """Return this with a newer report applied: a completed blob stays completed, offsets keep their maximum.

        A copy that starts over therefore shows its old offset until it has passed it.
        """
        if self.status is LayerStatus.COMPLETED:
            return self
        if newer.status is LayerStatus.PENDING and self.status is not LayerStatus.PENDING:
            newer = replace(newer, status=self.status)
        offset = newer.size if newer.status is LayerStatus.COMPLETED else max(self.offset, newer.offset)
        return replace(newer, offset=min(offset, newer.size))


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalProgress:
    """All blobs of an import together, in bytes."""

    done: int
    total: int

    @classmethod
    def of(cls, layers: Iterable[LayerProgress]) -> "TotalProgress":
        """Return the sum of the layers; mounted and existing layers count as done."""
        known = tuple(layers)
        return cls(done=sum(layer.offset for layer in known), total=sum(layer.size for layer in known))

    @property
    def percent(self) -> int:
        """0 to 99: only the import's state reports 100 per cent, when the tag is confirmed."""
        return min(99, percent_of(self.done, self.total))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerGroup:
    """Blobs of one status that reached the target in one way: their number, and the bytes that have arrived."""

    status: LayerStatus
    transfer: Transfer | None
    layers: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LayersSummary:
    """The blobs of an import, counted. `layers` and `bytes` leave out blobs whose transfer is not decided."""

    statuses: Mapping[LayerStatus, int] = field(default_factory=dict)
    layers: Mapping[Transfer, int] = field(default_factory=dict)
    bytes: Mapping[Transfer, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """The number of blobs."""
        return sum(self.statuses.values())

    @classmethod
    def of(cls, groups: Iterable[LayerGroup]) -> "LayersSummary":
        """Add up the groups."""
        statuses: Counter[LayerStatus] = Counter()
        layers: Counter[Transfer] = Counter()
        arrived: Counter[Transfer] = Counter()
        for group in groups:
            statuses[group.status] += group.layers
            if group.transfer:
                layers[group.transfer] += group.layers
                arrived[group.transfer] += group.bytes
        return cls(statuses=statuses, layers=layers, bytes=arrived)


def percent_of(done: int, total: int) -> int:
    """Return done/total in whole per cent, rounded down; 0 of 0 is 0."""
    return done * 100 // total if total else 0


def eta_seconds(remaining: int, rate: float) -> float | None:
    """Return the seconds that `remaining` bytes take at `rate` bytes per second; None at rate 0."""
    return remaining / rate if rate > 0 else None
