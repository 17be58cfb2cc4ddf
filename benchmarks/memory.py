"""Measure one worker's peak memory with eight imports at once: `python -m benchmarks.memory --json FILE`."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.arena import Arena, open_arena
from benchmarks.measure import Bar, bar_rows, bars_json, conditions, table, write_json
from benchmarks.processes import peak_rss
from benchmarks.scenarios import MIB
from benchmarks.sparse import place, sparse_jobs
from deploy.local.stack import Stack

IMPORTS = 8
# The limit of the worker's peak. Bytes.
PEAK_LIMIT = 150 * MIB
# The limit of the peak with the largest layers, divided by the peak with the smallest.
GROWTH_LIMIT = 1.1
# Seconds between two counts of the running imports.
LOOK_SECONDS = 0.5
# The layers of a smoke test are smaller by this factor.
QUICK_DIVISOR = 64


@dataclass(frozen=True, kw_only=True)
class Load:
    """Images with this number of layers of one size, in bytes."""

    name: str
    layers: int
    size: int


LOADS = (
    Load(name="1 GiB", layers=1, size=1024 * MIB),
    Load(name="4 GiB", layers=1, size=4096 * MIB),
    # The number of layers that a worker transfers at once.
    Load(name="4 layers of 256 MiB", layers=4, size=256 * MIB),
)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One run: `peak` is the worker's resident memory in bytes, `at_once` the maximum number of concurrent imports."""

    load: str
    peak: int
    idle: int
    at_once: int
    wall: float


def main() -> None:
    """Measure each load with a fresh worker, print a table, and write the report."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file for the samples and the bars")
    parser.add_argument("--load", choices=[load.name for load in LOADS], action="append", help="only this load")
    parser.add_argument("--quick", action="store_true", help="small layers: only a check that it works")
    given = parser.parse_args()
    started, samples = conditions(), []
    for load in (load for load in LOADS if given.load is None or load.name in given.load):
        samples.append(measure(load, quick=given.quick))
        print(f"{load.name}: peak {samples[-1].peak / MIB:.0f} MiB, idle {samples[-1].idle / MIB:.0f} MiB", flush=True)
        bars = judge(samples)
        document = {
            "benchmark": "memory",
            "quick": given.quick,
            "imports": IMPORTS,
            "conditions": {"start": started, "end": conditions()},
            "bars": bars_json(bars),
            "samples": [asdict(sample) for sample in samples],
        }
        write_json(given.json, document)
    print("\n" + table(["Bar", "Value", "Limit", "Held"], bar_rows(bars)))


def measure(load: Load, *, quick: bool) -> Sample:
    """Import all images at once, between registries that store their blobs on disk."""
    with open_arena("http", None) as arena:
        worker = arena.stack.add_worker({"WORKER_SLOTS": str(IMPORTS)})
        size = load.size // QUICK_DIVISOR if quick else load.size
        arena.jobs = sparse_jobs("memory", IMPORTS, load.layers, size)
        place(arena.places, arena.jobs)
        idle = peak_rss(worker.pid)
        with counting(arena.stack) as counts:
            usage = arena.longshore.copy(arena.places, arena.jobs, IMPORTS)
        check(arena, max(counts, default=0), quick=quick)
        return Sample(
            load=load.name, peak=peak_rss(worker.pid), idle=idle, at_once=max(counts, default=0), wall=usage.wall
        )


def check(arena: Arena, at_once: int, *, quick: bool) -> None:
    """Raise unless the target has all images, and they were imported concurrently."""
    remote = arena.places.remote(arena.places.target)
    for job in arena.jobs:
        if remote.manifest(arena.places.target_repository(job), job.tag).digest != job.image.digest:
            raise RuntimeError(f"{job.repository} is another image in the target")
    if at_once < IMPORTS and not quick:
        raise RuntimeError(f"only {at_once} of {IMPORTS} imports ran at once")


@contextmanager
def counting(stack: Stack) -> Iterator[list[int]]:
    """Count the running imports periodically while the block runs."""
    counts: list[int] = []
    ended = threading.Event()

    def count() -> None:
        while not ended.wait(LOOK_SECONDS):
            running = "SELECT count(*) FROM imports WHERE state = 'running'"
            counts.append(int(stack.postgres.execute(running, database="longshore")))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield counts
    finally:
        ended.set()
        thread.join()


def judge(samples: list[Sample]) -> dict[str, Bar]:
    """Return peak.LOAD in MiB for each load, and growth: the ratio of the peaks with largest and smallest layers."""
    peaks = {sample.load: sample.peak for sample in samples}
    bars = {f"peak.{name}": Bar.at_most(peak / MIB, PEAK_LIMIT / MIB) for name, peak in peaks.items()}
    small, large = (peaks.get(load.name) for load in LOADS[:2])
    bars["growth"] = Bar.at_most(large / small if small and large else None, GROWTH_LIMIT)
    return bars


if __name__ == "__main__":
    main()
