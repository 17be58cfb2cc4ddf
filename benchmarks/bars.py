"""The limits of the copy benchmark: relative to the best peer of each scenario, and to the floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import Bar

if TYPE_CHECKING:
    from benchmarks.arena import Sample
    from benchmarks.scenarios import Job

OURS, FLOOR = "longshore", "floor"

# Seconds, relative to the best peer.
WALL_LIMITS = {"cold": 0.95, "one": 0.95, "small": 0.8, "multi": 0.8, "family": 0.5, "nothing": 0.5, "many": 0.7}
# CPU seconds, relative to the peer with the fewest.
CPU_LIMITS = {"cold": 0.7, "one": 0.7}
# Seconds, relative to the floor.
FLOOR_LIMITS = {"cold": 1.2, "one": 1.2}
# Bytes that the source sent, relative to the distinct blobs.
SOURCE_BYTES_LIMITS = {"family": 1.01, "family-account": 1.01}
# Requests per image to each side.
REQUEST_LIMITS = {"nothing": 2.0}


@dataclass(frozen=True, kw_only=True)
class Runs:
    """All samples of one scenario over one transport."""

    scenario: str
    jobs: Sequence[Job]
    samples: Sequence[Sample]

    def median_of(self, contender: str, figure: Callable[[Sample], float]) -> float | None:
        values = [figure(sample) for sample in self.samples if sample.contender == contender]
        return median(values) if values else None

    @property
    def contenders(self) -> list[str]:
        """The names of all contenders, in the order of their first run."""
        return list(dict.fromkeys(sample.contender for sample in self.samples))

    def best_peer(self, figure: Callable[[Sample], float]) -> float | None:
        """Return the smallest of the peers' medians."""
        peers = [name for name in self.contenders if name not in (OURS, FLOOR)]
        medians = [value for name in peers if (value := self.median_of(name, figure)) is not None]
        return min(medians, default=None)

    def bars(self) -> dict[str, Bar]:
        """Compare the scenario with each of its limits."""
        found = {}
        wall, cpu = self.median_of(OURS, _wall), self.median_of(OURS, _cpu)
        for name, limits, ours, other in (
            ("wall", WALL_LIMITS, wall, self.best_peer(_wall)),
            ("cpu", CPU_LIMITS, cpu, self.best_peer(_cpu)),
            ("floor", FLOOR_LIMITS, wall, self.median_of(FLOOR, _wall)),
            (
                "source_bytes",
                SOURCE_BYTES_LIMITS,
                self._most(lambda one: one.source.bytes_sent),
                self._distinct_bytes(),
            ),
            ("source_requests", REQUEST_LIMITS, self._most(lambda one: one.source.requests), len(self.jobs)),
            ("target_requests", REQUEST_LIMITS, self._most(lambda one: one.target.requests), len(self.jobs)),
        ):
            if self.scenario in limits:
                found[name] = Bar.at_most(_ratio(ours, other), limits[self.scenario])
        return found

    def _most(self, figure: Callable[[Sample], float]) -> float | None:
        """Return Longshore's worst run: these figures do not depend on the load of the machine."""
        return max((figure(sample) for sample in self.samples if sample.contender == OURS), default=None)

    def _distinct_bytes(self) -> int:
        """Return the size of all distinct blobs and manifests."""
        sizes: dict[str, int] = {}
        for job in self.jobs:
            sizes |= {blob.digest: blob.size for blob in job.image.blobs}
            sizes |= {one.digest: len(one.body) for one in (*job.image.children, job.image.root)}
        return sum(sizes.values())


def _wall(sample: Sample) -> float:
    return sample.wall


def _cpu(sample: Sample) -> float:
    return sample.cpu


def _ratio(value: float | None, other: float | None) -> float | None:
    return value / other if value is not None and other else None
