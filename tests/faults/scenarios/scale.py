"""One worker, then four, then four that are killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from shared.imports import ImportState
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground
from tests.faults.bench.storm import Kind, Prey, Storm, make_blows
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Change, Wanted
from tests.faults.fault import Delay, Way

PROMISE = "With more workers there is more done at a time, and nothing twice, even when they are killed."

WORKERS = 4
# Each answer of the source comes so late that imports wait more than they compute: four workers shall not be measured
# by a machine's two processors. Seconds.
SOURCE_DELAY = 0.4
PATIENCE = 240.0
PREY = Prey(kinds=(Kind.KILL,), lasts=(0.0, 0.5))


def play(ground: Ground) -> Verdict:
    """Do the same work three times, with as many imports for each worker."""
    each, kills = ground.size.of(full=(40, 20), short=(3, 2))
    link = ground.link("source", ground.source.port)
    link.set(Delay(way=Way.TO_CLIENT, seconds=SOURCE_DELAY))
    ground.start(workers=1)
    wanted = ground.push(each * (1 + 2 * WORKERS), host=link.host)
    alone, both, struck = wanted[:each], wanted[each : each * (1 + WORKERS)], wanted[each * (1 + WORKERS) :]
    accepted, one = _done(ground, alone)
    for _ in range(WORKERS - 1):
        ground.add_worker()
    more, four = _done(ground, both)
    accepted += more
    names = {f"worker-{number}": worker for number, worker in enumerate(ground.workers)}
    blows = make_blows(ground.rng, dict.fromkeys(names, PREY), number=kills, seconds=each / one / 2)
    with Storm(blows, names) as storm:
        more, under_fire = _done(ground, struck)
        storm.calm()
    fates = count_fates(ground, accepted + more, ground.outcomes())
    double = _double_claims(ground.changes()) + _double_starts(ground)
    return Verdict(
        held=fates.all_ready and double == 0 and len(storm.struck) == kills,
        figures={
            **fates.figures(),
            "double_claims": double,
            "kills": len(storm.struck),
            "imports_a_second": {"one": round(one, 2), "four": round(four, 2), "four_killed": round(under_fire, 2)},
            "factor": round(four / one, 2),
            "factor_with_kills": round(under_fire / one, 2),
            "imports_by_worker": sorted(Counter(start[2] for start in _starts(ground)).values()),
        },
    )


def _done(ground: Ground, wanted: Sequence[Wanted]) -> tuple[list[Accepted], float]:
    """Ask for all, wait for all; return how many became final in a second, by the database's clock."""
    began = ground.now()
    accepted = ground.accept_all(wanted)
    ground.wait_final(PATIENCE)
    ended = float(ground.sql("SELECT extract(epoch FROM max(finished_at)) FROM imports"))
    return accepted, len(accepted) / (ended - began)


def _double_claims(changes: Sequence[Change]) -> int:
    """Count claims of what was claimed, and claims that did not make the attempt one more."""
    double = 0
    for name in {change.name for change in changes}:
        own = [change for change in changes if change.name == name]
        for before, after in pairwise(own):
            if after.state is ImportState.RUNNING:
                double += before.state is ImportState.RUNNING or after.attempt != before.attempt + 1
    return double


def _double_starts(ground: Ground) -> int:
    """Count attempts that more than one process has begun, by what the workers themselves wrote down."""
    return sum(times - 1 for times in Counter((name, attempt) for name, attempt, _ in _starts(ground)).values())


def _starts(ground: Ground) -> Iterator[tuple[str, int, str]]:
    """Yield the import, the attempt and the worker of each beginning that a worker's log has."""
    for worker in ground.workers:
        assert worker.process
        for line in worker.process.log.read_text(errors="replace").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue  # A killed process's last line.
            if record.get("event") == "import started":
                yield record["import_name"], record["attempt"], worker.name
