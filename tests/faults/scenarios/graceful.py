"""Each service process is stopped with SIGTERM while imports are requested and carried out."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from deploy.local.stack import Server, Worker
from shared.model.states import FINAL_STATES, ImportState
from tests.faults.bench.disruptions import recover
from tests.faults.bench.imports import Accepted, Change
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import Totals, count_totals
from tests.faults.bench.verdict import Verdict
from tests.faults.fault import Direction, Pace

PROMISE = "A process that is stopped under load loses no import, and another continues each one within ten seconds."

# The time from the signal to the exit, and to the next step of each import of the process. Seconds.
LIMIT = 10.0
# The rate of the source for each layer, so that no import ends within the worker's grace period. Bytes per second.
PACE = 100_000
# Imports for each turn, and the slots of each worker: one worker must have enough for two.
LOAD, SLOTS = 6, 16
# The time until they are claimed, and until all have ended. Seconds.
CLAIM_TIMEOUT, TIMEOUT = 30.0, 180.0


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One stop of a process: `had` are the imports that it ran; `began` is the database's time, Unix seconds."""

    victim: str
    had: Collection[str]
    began: float
    status: int
    seconds: float


def play(testbed: Testbed) -> Verdict:
    """Stop the processes in turn, each during fresh imports."""
    grace, layer = testbed.size.of(full=("5", 12 * PACE), short=("1", 3 * PACE))
    link = testbed.link("source", testbed.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    # The services' defaults, except the grace periods of the short form. A lease outlasts the downtime of an API.
    settings = {"LEASE_SECONDS": "30", "STOP_GRACE_SECONDS": grace, "DRAIN_SECONDS": grace}
    testbed.start(apis=2, workers=2, WORKER_SLOTS=str(SLOTS), **settings)
    accepted: list[Accepted] = []
    turns = []
    every = (*testbed.workers, *testbed.apis)
    for victim in testbed.size.of(full=every * 4, short=(testbed.workers[0], testbed.apis[0])):
        accepted += testbed.accept_all(testbed.push(LOAD, layers=[layer], host=link.host))
        turns.append(_end(testbed, victim))
        # During the downtime of an API, clients call the other one.
        accepted += testbed.accept_all(testbed.push(LOAD, host=link.host))
        recover(victim)
    outcomes = testbed.wait_final(TIMEOUT)
    return _verdict(turns, _hand_overs(turns, testbed.changes()), count_totals(testbed, accepted, outcomes))


def _verdict(turns: Sequence[Turn], waits: Sequence[float], totals: Totals) -> Verdict:
    slowest = max(waits, default=None)
    return Verdict(
        held=totals.all_ready
        and slowest is not None
        and slowest <= LIMIT
        and all(turn.status == 0 and turn.seconds <= LIMIT for turn in turns),
        figures={
            **totals.figures(),
            "ended_processes": len(turns),
            "imports_they_had": sum(len(turn.had) for turn in turns),
            "slowest_end_seconds": round(max(turn.seconds for turn in turns), 2),
            "slowest_hand_over_seconds": slowest and round(slowest, 2),
            "bad_exits": sum(turn.status != 0 for turn in turns),
        },
    )


def _end(testbed: Testbed, victim: Server) -> Turn:
    """Stop a process when it has running imports, and wait for its exit."""
    had: list[str] = []
    if isinstance(victim, Worker):
        testbed.wait_until(lambda: testbed.running_at(victim) != [], CLAIM_TIMEOUT)
        had = testbed.running_at(victim)
    began, started = testbed.now(), time.monotonic()
    assert victim.process
    victim.process.send(signal.SIGTERM)
    status = victim.process.wait(victim.stop_seconds)
    return Turn(victim=victim.name, had=had, began=began, status=status, seconds=time.monotonic() - started)


def _hand_overs(turns: Sequence[Turn], changes: Sequence[Change]) -> list[float]:
    """Return for each interrupted import the seconds until it ended or ran again."""
    waits = []
    for turn in turns:
        steps: Mapping[str, float] = {
            change.name: change.at
            for change in reversed(changes)
            if change.at > turn.began and (change.state in FINAL_STATES or change.state is ImportState.RUNNING)
        }
        waits += [steps[name] - turn.began for name in turn.had]
    return waits
