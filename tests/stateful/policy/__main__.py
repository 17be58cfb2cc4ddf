"""Runs the campaign: `python -m tests.stateful.policy --steps 10000 --target harbor --seed 1`."""

import argparse
import logging
import sys
import time

import structlog

from shared.target.settings import TargetKind
from tests.stateful.__main__ import servers
from tests.stateful.policy.play import play_campaign
from tests.stateful.world import running


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.stateful.policy", description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--target", type=TargetKind, choices=list(TargetKind), default=TargetKind.HARBOR)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with servers() as started, running(started, given.target) as world:
        begun = time.monotonic()
        report = play_campaign(world, steps=given.steps, seed=given.seed)
        seconds = time.monotonic() - begun
    lines = [f"{name}: {number}" for name, number in sorted(report.counts.items())]
    played = f"{given.steps} steps, target {given.target}, seed {given.seed}"
    outcome = f"{played}: {len(report.problems)} problems, {seconds:.0f} s"
    sys.stdout.write("\n".join([*lines, *report.problems, outcome, ""]))
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
