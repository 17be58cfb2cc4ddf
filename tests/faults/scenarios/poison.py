"""An import that kills its worker at every attempt, together with the worker's other imports."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from deploy.local.stack import Worker
from shared.model.states import ImportState
from tests.faults.bench.disruptions import Disruptor, Kind, disrupt
from tests.faults.bench.imports import Accepted, Outcome
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import Totals, count_totals
from tests.faults.bench.verdict import Verdict, latencies
from tests.faults.fault import Direction, Pace

PROMISE = "An import that kills its worker every time fails after its attempts, and none of its neighbours does."

# The rate of the source for each layer, and the resulting duration of a neighbour, which outlasts the time to the kill.
# Bytes per second, and seconds.
PACE = 100_000
NEIGHBOUR_SECONDS = 3
# The time from the poison's claim to the kill, in which its neighbours are claimed. Seconds.
KILLS_AFTER = 0.7
# The slots of one worker, whose imports die together.
SLOTS = 4
POLL_SECONDS = 0.05
TIMEOUT = 240.0
CODE = "worker_lost"


def play(testbed: Testbed) -> Verdict:
    """Let a worker claim the poison with as many neighbours as it has slots, and kill every worker that claims it."""
    # Three neighbours share the worker with the poison; in the full form others wait.
    attempts, neighbours = testbed.size.of(full=(5, 30), short=(3, 3))
    link = testbed.link("source", testbed.source.port)
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    testbed.start(workers=testbed.size.of(full=2, short=1), WORKER_SLOTS=str(SLOTS), MAX_FAILURES=str(attempts))
    pushed = testbed.push(1 + neighbours, layers=[NEIGHBOUR_SECONDS * PACE], host=link.host)
    with Disruptor([], {worker.name: worker for worker in testbed.workers}) as disruptor:
        poison = testbed.accept(pushed[0])
        with _deadly(testbed, poison) as deaths:
            accepted = [poison, *testbed.accept_all(pushed[1:])]
            outcomes = testbed.wait_final(TIMEOUT)
    kills = {"workers_killed": len(deaths), "workers_revived": len(disruptor.recovered)}
    return _verdict(poison, attempts, outcomes, count_totals(testbed, accepted, outcomes), kills)


def _verdict(
    poison: Accepted, attempts: int, outcomes: Sequence[Outcome], totals: Totals, kills: Mapping[str, int]
) -> Verdict:
    ends = {outcome.name: outcome for outcome in outcomes}
    poisoned = ends.pop(poison.name)
    failed = sum(end.state is ImportState.FAILED for end in ends.values())
    return Verdict(
        held=totals.good
        and (poisoned.state, poisoned.code, poisoned.attempt) == (ImportState.FAILED, CODE, attempts)
        and kills["workers_killed"] == attempts
        and failed == 0
        # Otherwise no neighbour was affected.
        and any(end.failures for end in ends.values()),
        figures={
            **totals.figures(),
            **kills,
            "poison_attempts": poisoned.attempt,
            "neighbours_failed": failed,
            "neighbours_hit": sum(end.failures > 0 for end in ends.values()),
            "most_hits_of_a_neighbour": max(end.failures for end in ends.values()),
            **latencies("seconds_to_end", [end.seconds for end in ends.values() if end.seconds is not None]),
        },
    )


@contextmanager
def _deadly(testbed: Testbed, poison: Accepted) -> Iterator[list[int]]:
    """Kill each worker that starts this import while the block runs; the list collects the attempts."""
    deaths: list[int] = []
    ended = threading.Event()
    by_name = {worker.settings["WORKER_NAME"]: worker for worker in testbed.workers}

    def watch() -> None:
        while not ended.wait(POLL_SECONDS):
            owner, attempt = _runs(testbed, poison)
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


def _runs(testbed: Testbed, poison: Accepted) -> tuple[str, int]:
    """Return the poison's worker, or an empty text, and its attempt."""
    owner, attempt = testbed.sql(
        f"SELECT coalesce(lease_owner, ''), attempt FROM imports WHERE name = '{poison.name}'"
    ).split("|")
    return owner, int(attempt)


def _kill(worker: Worker) -> None:
    time.sleep(KILLS_AFTER)
    with contextlib.suppress(ProcessLookupError):
        disrupt(worker, Kind.KILL)
