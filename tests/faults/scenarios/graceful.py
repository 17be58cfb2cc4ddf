"""Each of our processes is told to end while imports are carried out and asked for."""

from __future__ import annotations

import signal
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from deploy.local.stack import Server, Worker
from shared.model.states import FINAL_STATES, ImportState
from tests.faults.bench.fates import Fates, count_fates
from tests.faults.bench.ground import Ground
from tests.faults.bench.storm import revive
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Change
from tests.faults.fault import Direction, Pace

PROMISE = "Told to end under load, a process loses nothing, and what it had goes on elsewhere within ten seconds."

# From the signal to the process's end, and to the next step of each import that it had. Seconds.
LIMIT = 10.0
# What the source gives of each layer, so that none ends within the worker's grace. Bytes a second.
PACE = 100_000
# Imports for each turn, and how many each worker has room for: one has to do for two.
LOAD, SLOTS = 6, 16
# Until they have been claimed, and until all have ended. Seconds.
CLAIM_PATIENCE, PATIENCE = 30.0, 180.0


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One process's end: `had` are the imports that it ran; `began` is the database's time, Unix seconds."""

    victim: str
    had: Collection[str]
    began: float
    status: int
    seconds: float


def play(ground: Ground) -> Verdict:
    """Take the processes one after the other, each with fresh imports under way."""
    grace, layer = ground.size.of(full=("5", 12 * PACE), short=("1", 3 * PACE))
    link = ground.link("source", ground.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    # The services' own defaults, but for the graces of the short form. A lease bears the time that an API is away.
    settings = {"LEASE_SECONDS": "30", "STOP_GRACE_SECONDS": grace, "DRAIN_SECONDS": grace}
    ground.start(apis=2, workers=2, WORKER_SLOTS=str(SLOTS), **settings)
    accepted: list[Accepted] = []
    turns = []
    every = (*ground.workers, *ground.apis)
    for victim in ground.size.of(full=every * 4, short=(ground.workers[0], ground.apis[0])):
        accepted += ground.accept_all(ground.push(LOAD, layers=[layer], host=link.host))
        turns.append(_end(ground, victim))
        # While it is away: an API's clients ask the other one.
        accepted += ground.accept_all(ground.push(LOAD, host=link.host))
        revive(victim)
    outcomes = ground.wait_final(PATIENCE)
    return _judge(turns, _hand_overs(turns, ground.changes()), count_fates(ground, accepted, outcomes))


def _judge(turns: Sequence[Turn], waits: Sequence[float], fates: Fates) -> Verdict:
    slowest = max(waits, default=None)
    return Verdict(
        held=fates.all_ready
        and slowest is not None
        and slowest <= LIMIT
        and all(turn.status == 0 and turn.seconds <= LIMIT for turn in turns),
        figures={
            **fates.figures(),
            "ended_processes": len(turns),
            "imports_they_had": sum(len(turn.had) for turn in turns),
            "slowest_end_seconds": round(max(turn.seconds for turn in turns), 2),
            "slowest_hand_over_seconds": slowest and round(slowest, 2),
            "bad_exits": sum(turn.status != 0 for turn in turns),
        },
    )


def _end(ground: Ground, victim: Server) -> Turn:
    """Tell a process to end, as soon as it has something to lose, and wait until it has ended."""
    had: list[str] = []
    if isinstance(victim, Worker):
        ground.wait_until(lambda: ground.running_at(victim) != [], CLAIM_PATIENCE)
        had = ground.running_at(victim)
    began, started = ground.now(), time.monotonic()
    assert victim.process
    victim.process.send(signal.SIGTERM)
    status = victim.process.wait(victim.stop_seconds)
    return Turn(victim=victim.name, had=had, began=began, status=status, seconds=time.monotonic() - started)


def _hand_overs(turns: Sequence[Turn], changes: Sequence[Change]) -> list[float]:
    """Return for each import that was taken away how long it took until it ended or ran again; seconds."""
    waits = []
    for turn in turns:
        steps: Mapping[str, float] = {
            change.name: change.at
            for change in reversed(changes)
            if change.at > turn.began and (change.state in FINAL_STATES or change.state is ImportState.RUNNING)
        }
        waits += [steps[name] - turn.began for name in turn.had]
    return waits
