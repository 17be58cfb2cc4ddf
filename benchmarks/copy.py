"""Measure Longshore against skopeo, crane and regctl: `python -m benchmarks.copy --json FILE [--scenario NAME]`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.arena import MEMORY, Arena, Contender, Sample, open_arena
from benchmarks.bars import Runs
from benchmarks.floor import Floor
from benchmarks.measure import Bar, Spread, bar_rows, bars_json, conditions, table, write_json
from benchmarks.peers import find_peers
from benchmarks.scenarios import MIB, SCENARIOS, Scenario

ROUNDS = 5
TRANSPORTS = ("http", "tls")
# Bytes of free memory that the registries' blobs need: some images, twice, with a margin.
MEMORY_NEEDED = 8 * 1024 * MIB


@dataclass(frozen=True, kw_only=True)
class Options:
    """The scenarios, the number of rounds, and the folder of the registries' blobs (None: on disk)."""

    report: Path
    scenarios: tuple[Scenario, ...]
    transports: tuple[str, ...]
    rounds: int
    quick: bool
    storage: Path | None


@dataclass
class Report:
    """The results so far."""

    options: Options
    contenders: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    runs: list[tuple[str, Runs]] = field(default_factory=list)
    started: dict[str, Any] = field(default_factory=conditions)

    @property
    def bars(self) -> dict[str, Bar]:
        """scenario.transport.figure → bar."""
        return {
            f"{runs.scenario}.{transport}.{name}": bar
            for transport, runs in self.runs
            for name, bar in runs.bars().items()
        }

    def document(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "benchmark": "copy",
            "quick": self.options.quick,
            "rounds": self.options.rounds,
            "storage": "memory" if self.options.storage else "disk",
            "conditions": {"start": self.started, "end": conditions()},
            "contenders": self.contenders,
            "left_out": self.left_out,
            "bars": bars_json(self.bars),
            "scenarios": [
                {
                    "name": runs.scenario,
                    "transport": transport,
                    "samples": [asdict(sample) for sample in runs.samples],
                }
                for transport, runs in self.runs
            ],
        }


def main() -> None:
    """Measure, print tables, and write the report."""
    options = parse()
    report = Report(options)
    for transport in options.transports:
        with open_arena(transport, options.storage) as arena:
            contenders = find_contenders(arena, report)
            for scenario in options.scenarios:
                runs = measure(arena, scenario, contenders, options)
                report.runs.append((transport, runs))
                show(scenario, transport, runs)
                write_json(options.report, report.document())
    print("\n" + table(["Bar", "Value", "Limit", "Held"], bar_rows(report.bars)))
    for name, reason in report.left_out.items():
        print(f"Left out: {name}: {reason}.")


def parse() -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copy", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="file for all samples and the bars")
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument("--scenario", choices=names, action="append", help="only this scenario; may be repeated")
    parser.add_argument("--transport", choices=TRANSPORTS, action="append", help="only this transport")
    parser.add_argument("--rounds", type=int, default=0, help=f"runs of each contender (default: {ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="tiny images, one round: only a check that it works")
    parser.add_argument(
        "--storage", choices=("auto", "memory", "disk"), default="auto", help="of the registries' blobs"
    )
    given = parser.parse_args()
    return Options(
        report=given.json,
        scenarios=tuple(one for one in SCENARIOS if given.scenario is None or one.name in given.scenario),
        transports=tuple(given.transport or TRANSPORTS),
        rounds=given.rounds or (1 if given.quick else ROUNDS),
        quick=given.quick,
        storage=_storage(given.storage),
    )


def _storage(wanted: str) -> Path | None:
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED
    return MEMORY if wanted == "memory" or (wanted == "auto" and roomy) else None


def find_contenders(arena: Arena, report: Report) -> list[Contender]:
    """Return all contenders; record their versions, and the missing ones."""
    folder = arena.stack.scratch.make_folder("peers")
    peers, missing = find_peers(arena.places, folder, build=not report.options.quick)
    contenders: list[Contender] = [arena.longshore, *peers, Floor()]
    report.contenders |= {contender.name: contender.version for contender in contenders}
    report.left_out |= missing
    return contenders


def measure(arena: Arena, scenario: Scenario, contenders: Sequence[Contender], options: Options) -> Runs:
    """Run all contenders in turn; each round starts with another one."""
    arena.set_up(scenario, quick=options.quick)
    eligible = [one for one in contenders if not (scenario.filled and isinstance(one, Floor))]
    if scenario.account:
        eligible = [arena.longshore]
    samples: list[Sample] = []
    for number in range(options.rounds):
        first = number % len(eligible)
        samples += [arena.measure(contender, scenario) for contender in (*eligible[first:], *eligible[:first])]
    return Runs(scenario=scenario.name, jobs=arena.jobs, samples=samples)


def show(scenario: Scenario, transport: str, runs: Runs) -> None:
    """Print a scenario's figures: medians with minimum and maximum."""
    print(f"\n{scenario.name} over {transport}: {scenario.about}\n")
    headings = ["", "seconds", "CPU s", "RSS MiB", "source requests", "source MiB", "target requests", "target MiB in"]
    print(table(headings, [_row(runs, name) for name in runs.contenders]), flush=True)


def _row(runs: Runs, name: str) -> list[str]:
    own = [sample for sample in runs.samples if sample.contender == name]
    return [
        name,
        Spread.of(sample.wall for sample in own).text(),
        Spread.of(sample.cpu for sample in own).text(),
        f"{Spread.of(sample.rss / MIB for sample in own).median:.0f}",
        f"{Spread.of(sample.source.requests for sample in own).median:.0f}",
        f"{Spread.of(sample.source.bytes_sent / MIB for sample in own).median:.1f}",
        f"{Spread.of(sample.target.requests for sample in own).median:.0f}",
        f"{Spread.of(sample.target_bytes_read / MIB for sample in own).median:.1f}",
    ]


if __name__ == "__main__":
    main()
