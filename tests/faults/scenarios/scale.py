"""One worker, then four, then four that are killed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from deploy.local.stack import start_together
from shared.model.states import ImportState
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground
from tests.faults.bench.storm import Kind, Prey, Storm, make_blows
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Change, Wanted
from tests.faults.fault import Delay, Direction

PROMISE = "With more workers there is more done at a time, and nothing twice, even when they are killed."

WORKERS = 4
# Each answer of the source comes so late that imports wait more than they compute: four workers shall not be measured
# by a machine's two processors. Seconds.
SOURCE_DELAY = 0.4
PATIENCE = 240.0
PREY = Prey(kinds=(Kind.KILL,), lasts=(0.0, 0.5))


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Imports that became final in a second: with one worker, with four, and with four that were killed."""

    one: float
    four: float
    four_killed: float

    def figures(self) -> Mapping[str, object]:
        """Return them as JSON, with how many times one worker's they are."""
        rates = {name: round(rate, 2) for name, rate in asdict(self).items()}
        factors = {"factor": self.four / self.one, "factor_with_kills": self.four_killed / self.one}
        return {"imports_a_second": rates, **{name: round(factor, 2) for name, factor in factors.items()}}


def play(ground: Ground) -> Verdict:
    """Do the same work three times, with as many imports for each worker."""
    each, kills, seconds = ground.size.of(full=(40, 20, 40.0), short=(3, 2, 2.0))
    names = [f"worker-{number}" for number in range(WORKERS)]
    blows = make_blows(ground.rng, dict.fromkeys(names, PREY), number=kills, seconds=seconds)
    link = ground.link("source", ground.source.port)
    link.set(Delay(direction=Direction.TO_CLIENT, seconds=SOURCE_DELAY))
    ground.start(workers=1)
    accepted, one = _done(ground, ground.push(each, host=link.host))
    start_together(*(ground.new_worker() for _ in range(WORKERS - 1)))
    more, four = _done(ground, ground.push(each * WORKERS, host=link.host))
    wanted = ground.push(each * WORKERS, host=link.host)
    with Storm(blows, dict(zip(names, ground.workers, strict=True))) as storm:
        last, four_killed = _done(ground, wanted)
        storm.calm()
    rates = Rates(one=one, four=four, four_killed=four_killed)
    return _judge(ground, [*accepted, *more, *last], rates, kills=len(storm.injected), wanted_kills=kills)


def _judge(ground: Ground, accepted: Sequence[Accepted], rates: Rates, *, kills: int, wanted_kills: int) -> Verdict:
    fates = count_fates(ground, accepted, ground.outcomes())
    double = _double_claims(ground.changes()) + _double_starts(ground)
    return Verdict(
        held=fates.all_ready and double == 0 and kills == wanted_kills,
        figures={
            **fates.figures(),
            "double_claims": double,
            "kills": kills,
            **rates.figures(),
            "imports_by_worker": sorted(Counter(worker for _, _, worker in _starts(ground)).values()),
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
