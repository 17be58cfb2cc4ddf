"""The fault bench: `python -m tests.faults --seed N --scenario NAME --json FILE`; exits 1 if a promise is broken."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import conditions, write_json
from deploy.local.commands.run_folder import FOLDER
from deploy.local.stack import Scratch
from tests.faults.bench.run import Result, Run
from tests.faults.bench.scenario import Scenario, scenarios
from tests.faults.bench.shared_servers import SharedServers
from tests.faults.bench.size import Size

ALL = "all"
# The size of random seeds; any whole number may be given.
SEED_BITS = 32
# The services' logs of broken promises, each in its own folder.
LOGS = FOLDER / "faults"


def main() -> int:
    """Run the chosen scenarios, print a line for each run, and write the report."""
    known = scenarios()
    given = _parser(known).parse_args()
    if given.list:
        for scenario in known.values():
            say(f"{scenario.name}: {scenario.promise}")
        return 0
    chosen = list(known.values()) if ALL in given.scenario else [known[name] for name in given.scenario]
    started = conditions()
    with Scratch() as scratch, SharedServers(scratch) as shared_servers:
        if given.minutes is None:
            results = _play_each(
                shared_servers, [Run(scenario=one, seed=given.seed, size=given.size) for one in chosen]
            )
        else:
            results = _soak(shared_servers, _random_runs(chosen, given.seed, given.size), given.minutes)
    if given.json:
        write_json(given.json, _document(given.seed, results, started))
    return 0 if all(result.verdict.held for result in results) else 1


def _parser(known: Mapping[str, Scenario]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--scenario", nargs="+", choices=[ALL, *known], default=[ALL], metavar="NAME")
    parser.add_argument("--seed", type=int, default=secrets.randbits(SEED_BITS), help="default: a random one")
    parser.add_argument("--size", type=Size, choices=list(Size), default=Size.FULL)
    parser.add_argument("--json", type=Path, help="file for the verdicts and figures")
    parser.add_argument("--minutes", type=float, help="play one after the other with fresh seeds, for so long")
    parser.add_argument("--list", action="store_true", help="only show the scenarios and their promises")
    return parser


def _play_each(shared_servers: SharedServers, runs: Sequence[Run]) -> list[Result]:
    return [_play(shared_servers, run) for run in runs]


def _soak(shared_servers: SharedServers, runs: Iterator[Run], minutes: float) -> list[Result]:
    """Run until the time is over or a promise is broken."""
    limit = time.monotonic() + minutes * 60
    results: list[Result] = []
    while time.monotonic() < limit and all(result.verdict.held for result in results):
        results.append(_play(shared_servers, next(runs)))
    return results


def _random_runs(chosen: Sequence[Scenario], seed: int, size: Size) -> Iterator[Run]:
    """Yield an endless sequence of runs, each scenario equally often, with seeds derived from this one."""
    rng = random.Random(seed)
    while True:
        for scenario in rng.sample(chosen, len(chosen)):
            yield Run(scenario=scenario, seed=rng.getrandbits(SEED_BITS), size=size)


def _play(shared_servers: SharedServers, run: Run) -> Result:
    say(f"{run.scenario.name}: seed {run.seed} …")
    result = run.play(shared_servers, logs=LOGS)
    say(result.line())
    if not result.verdict.held:
        say(f"again: {run.command}\nlogs: {LOGS}")
    return result


def _document(seed: int, results: Sequence[Result], started: object) -> Mapping[str, object]:
    """Return the report; for a scenario that ran repeatedly, a held result replaces broken ones."""
    ordered = sorted(results, key=lambda result: not result.verdict.held)
    return {
        "bench": "faults",
        "seed": seed,
        "conditions": {"start": started, "end": conditions()},
        "runs": len(results),
        "promises": {result.run.scenario.name: result.document() for result in ordered},
    }


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)  # noqa: T201 - output of the command


if __name__ == "__main__":
    sys.exit(main())
