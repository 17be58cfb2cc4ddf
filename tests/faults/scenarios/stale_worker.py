"""A worker is frozen at a step of its copy until another worker has its import, and then resumed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from deploy.local.stack import Worker
from tests.faults.bench.imports import Accepted
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.copy_steps import STEPS, Stage, open_stage
from tests.faults.relay import Moment, Passed

PROMISE = "A stale worker changes nothing: what it reports is refused, and it moves no tag."

# Seconds for an import with a take-over, on a busy machine.
TIMEOUT = 60.0
# The time until a resumed worker gives up, including its retries. Seconds.
SETTLING = 20.0
GIVES_UP = "import.superseded"
# The critical step: the request that writes the tag is lost.
SHORT = (("tag written", Moment.BEFORE),)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The effects of one stop: `accepted` stale reports, and whether the tag `moved`."""

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


def play(testbed: Testbed) -> Verdict:
    """Freeze a worker before and after each step, in the seed's order."""
    every = [(step, moment) for step in STEPS for moment in Moment]
    chosen: Sequence[tuple[str, Moment]] = testbed.size.of(full=every, short=list(SHORT))
    with open_stage(testbed) as stage:
        stage.add_worker()
        stage.add_worker()
        stops = [_stop_at(stage, step, moment) for step, moment in testbed.rng.sample(chosen, len(chosen))]
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
    """Freeze the worker at the step, let another one finish the import, import another image, and resume the worker."""
    repository = f"stale/{step.replace(' ', '-')}-{moment}"
    stopped: list[Worker] = []
    accepted: list[Accepted] = []

    def stop() -> None:
        stage.wait(lambda: bool(accepted))
        stopped.append(stage.holder(accepted[0]))
        os.kill(stopped[0].pid, signal.SIGSTOP)

    trap = stage.trap(step, moment, stop)
    accepted.append(stage.testbed.accept(stage.push(repository)))
    triggered = trap.fired.wait(TIMEOUT)
    taken_over = stage.wait_state(accepted[0], "ready", TIMEOUT)
    newer = stage.testbed.accept(stage.push(repository), force=True)
    taken_over = taken_over and stage.wait_state(newer, "ready", TIMEOUT)
    expected = stage.tag(newer)
    went_on = time.monotonic()
    for worker in stopped:
        os.kill(worker.pid, signal.SIGCONT)
    gave_up = all(stage.logged_about(worker, accepted[0], GIVES_UP, SETTLING) for worker in stopped)
    late = [one for one in stage.relays["api"].passed if _is_late(one, accepted[0], went_on)]
    return Stop(
        step=step,
        moment=moment,
        triggered=triggered,
        taken_over=taken_over and expected == newer.pushed.digest,
        accepted=sum(one.answer.status == HTTPStatus.OK for one in late),
        refused=sum(one.answer.status == HTTPStatus.CONFLICT for one in late),
        moved=stage.tag(newer) != expected,
        gave_up=gave_up,
    )


def _is_late(passed: Passed, accepted: Accepted, went_on: float) -> bool:
    """Return whether this is a report of the frozen attempt after it was resumed."""
    mine = passed.asked.at >= went_on and accepted.name in passed.asked.path
    return mine and json.loads(passed.body)["attempt"] == 1
