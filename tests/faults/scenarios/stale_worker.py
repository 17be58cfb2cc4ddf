"""A worker stands still at a step of its copy until its import is another's, and goes on as if nothing had been."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from deploy.local.stack import Worker
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted
from tests.faults.relay import Moment, Passed
from tests.faults.steps import STEPS, Stage, staged

PROMISE = "A stale worker changes nothing: what it reports is refused, and it moves no tag."

# An import, its take-over and its end on a busy machine. Seconds.
PATIENCE = 60.0
# What a worker that goes on needs until it has given up, its own tries included. Seconds.
SETTLING = 20.0
GIVES_UP = "import.superseded"
# Where it matters most: the tag's own request got lost.
SHORT = (("tag written", Moment.BEFORE),)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """What one stop led to; `accepted` are reports that were taken after it, `moved` says whether the tag was."""

    step: str
    moment: Moment
    triggered: bool
    taken_over: bool
    accepted: int
    refused: int
    moved: bool
    gave_up: bool

    @property
    def good(self) -> bool:
        return self.triggered and self.taken_over and not self.accepted and not self.moved


def play(ground: Ground) -> Verdict:
    """Stop a worker at each step, before and after it, in an order of the seed's."""
    every = [(step, moment) for step in STEPS for moment in Moment]
    chosen: Sequence[tuple[str, Moment]] = ground.size.of(full=every, short=list(SHORT))
    with staged(ground) as stage:
        stage.add_worker()
        stage.add_worker()
        stops = [_stop_at(stage, step, moment) for step, moment in ground.rng.sample(chosen, len(chosen))]
    return Verdict(
        held=all(stop.good for stop in stops),
        figures={
            "stops": sum(stop.triggered for stop in stops),
            "steps": len({stop.step for stop in stops}),
            "taken_over": sum(stop.taken_over for stop in stops),
            "stale_reports_accepted": sum(stop.accepted for stop in stops),
            "stale_reports_refused": sum(stop.refused for stop in stops),
            "stale_tags": sum(stop.moved for stop in stops),
            "gave_up": sum(stop.gave_up for stop in stops),
            "not_good": [f"{stop.moment} {stop.step}" for stop in stops if not stop.good],
        },
    )


def _stop_at(stage: Stage, step: str, moment: Moment) -> Stop:
    """Stop the worker there, let another one end the import, bring another image under the tag, and let it go on."""
    repository = f"stale/{step.replace(' ', '-')}-{moment}"
    stopped: list[Worker] = []
    accepted: list[Accepted] = []

    def stop() -> None:
        stage.wait(lambda: bool(accepted))
        stopped.append(stage.holder(accepted[0]))
        os.kill(stopped[0].pid, signal.SIGSTOP)

    trap = stage.trap(step, moment, stop)
    accepted.append(stage.ground.accept(stage.push(repository)))
    triggered = trap.sprung.wait(PATIENCE)
    taken_over = stage.wait_state(accepted[0], "ready", PATIENCE)
    newer = stage.ground.accept(stage.push(repository), force=True)
    taken_over = taken_over and stage.wait_state(newer, "ready", PATIENCE)
    expected = stage.tag(newer)
    went_on = time.monotonic()
    for worker in stopped:
        os.kill(worker.pid, signal.SIGCONT)
    gave_up = all(stage.said_of(worker, accepted[0], GIVES_UP, SETTLING) for worker in stopped)
    late = [one for one in stage.relays["api"].passed if _is_late(one, accepted[0], went_on)]
    return Stop(
        step=step,
        moment=moment,
        triggered=triggered,
        taken_over=taken_over and expected == newer.wanted.digest,
        accepted=sum(one.answer.status == HTTPStatus.OK for one in late),
        refused=sum(one.answer.status == HTTPStatus.CONFLICT for one in late),
        moved=stage.tag(newer) != expected,
        gave_up=gave_up,
    )


def _is_late(passed: Passed, accepted: Accepted, went_on: float) -> bool:
    """Tell whether this is a report of the attempt that had stood still, from after it went on."""
    mine = passed.asked.at >= went_on and accepted.name in passed.asked.path
    return mine and json.loads(passed.body)["attempt"] == 1
