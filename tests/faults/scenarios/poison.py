"""An import ends its worker each time it is begun, and takes all with it that the worker has under way."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from deploy.local.stack import Worker
from shared.model.states import ImportState
from tests.faults.bench.fates import Fates, count_fates
from tests.faults.bench.figures import latencies
from tests.faults.bench.ground import Ground
from tests.faults.bench.storm import Kind, Storm, strike
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Outcome
from tests.faults.fault import Direction, Pace

PROMISE = "An import that kills its worker every time fails after its attempts, and none of its neighbours does."

# What the source gives of each layer, and so for how long a neighbour runs: longer than the poison takes to kill.
# Bytes a second, and seconds.
PACE = 100_000
NEIGHBOUR_SECONDS = 3
# From the poison's claim to its worker's end: its neighbours have been claimed by then. Seconds.
KILLS_AFTER = 0.7
# Of one worker: all that is claimed together dies together.
SLOTS = 4
LOOK_SECONDS = 0.05
PATIENCE = 240.0
CODE = "worker_lost"


def play(ground: Ground) -> Verdict:
    """Let the poison be claimed with as many neighbours as there is room for, and kill whoever claims it."""
    # Three neighbours share the worker with the poison; in the full form there are others waiting behind them.
    attempts, neighbours = ground.size.of(full=(5, 30), short=(3, 3))
    link = ground.link("source", ground.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    ground.start(workers=ground.size.of(full=2, short=1), WORKER_SLOTS=str(SLOTS), MAX_FAILURES=str(attempts))
    wanted = ground.push(1 + neighbours, layers=[NEIGHBOUR_SECONDS * PACE], host=link.host)
    with Storm([], {worker.name: worker for worker in ground.workers}) as storm:
        poison = ground.accept(wanted[0])
        with _deadly(ground, poison) as deaths:
            accepted = [poison, *ground.accept_all(wanted[1:])]
            outcomes = ground.wait_final(PATIENCE)
    told = {"workers_killed": len(deaths), "workers_revived": len(storm.revived)}
    return _judge(poison, attempts, outcomes, count_fates(ground, accepted, outcomes), told)


def _judge(
    poison: Accepted, attempts: int, outcomes: Sequence[Outcome], fates: Fates, told: Mapping[str, int]
) -> Verdict:
    ends = {outcome.name: outcome for outcome in outcomes}
    poisoned = ends.pop(poison.name)
    failed = sum(end.state is ImportState.FAILED for end in ends.values())
    return Verdict(
        held=fates.good
        and (poisoned.state, poisoned.code, poisoned.attempt) == (ImportState.FAILED, CODE, attempts)
        and told["workers_killed"] == attempts
        and failed == 0
        # Or nobody was in danger.
        and any(end.failures for end in ends.values()),
        figures={
            **fates.figures(),
            **told,
            "poison_attempts": poisoned.attempt,
            "neighbours_failed": failed,
            "neighbours_hit": sum(end.failures > 0 for end in ends.values()),
            "most_hits_of_a_neighbour": max(end.failures for end in ends.values()),
            **latencies("seconds_to_end", [end.seconds for end in ends.values() if end.seconds is not None]),
        },
    )


@contextmanager
def _deadly(ground: Ground, poison: Accepted) -> Iterator[list[int]]:
    """Kill each worker that begins this import while the block runs; the list gets the attempts."""
    deaths: list[int] = []
    ended = threading.Event()
    by_name = {worker.settings["WORKER_NAME"]: worker for worker in ground.workers}

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            owner, attempt = _runs(ground, poison)
            if owner in by_name and attempt not in deaths:
                _kill(by_name[owner])
                deaths.append(attempt)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield deaths
    finally:
        ended.set()
        thread.join()


def _runs(ground: Ground, poison: Accepted) -> tuple[str, int]:
    """Return the poison's worker, where it has one, and which attempt it is."""
    owner, attempt = ground.sql(
        f"SELECT coalesce(lease_owner, ''), attempt FROM imports WHERE name = '{poison.name}'"
    ).split("|")
    return owner, int(attempt)


def _kill(worker: Worker) -> None:
    time.sleep(KILLS_AFTER)
    with contextlib.suppress(ProcessLookupError):
        strike(worker, Kind.KILL)
