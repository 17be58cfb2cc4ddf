"""One worker, then four workers, then four workers that are killed repeatedly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from deploy.local.stack import start_together
from shared.model.states import ImportState
from tests.faults.bench.disruptions import Disruptor, Exposure, Kind, plan_disruptions
from tests.faults.bench.imports import Accepted, Change, PushedImage
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import count_totals
from tests.faults.bench.verdict import Verdict
from tests.faults.fault import Delay, Direction

PROMISE = "With more workers there is more done at a time, and nothing twice, even when they are killed."

WORKERS = 4
# The delay of the source's responses, so that imports mostly wait: the machine's two processors must not limit four
# workers. Seconds.
SOURCE_DELAY = 0.4
TIMEOUT = 240.0
EXPOSURE = Exposure(kinds=(Kind.KILL,), duration=(0.0, 0.5))


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Finished imports per second: with one worker, with four, and with four that were killed."""

    one: float
    four: float
    four_killed: float

    def figures(self) -> Mapping[str, object]:
        """Return the rates as JSON, with their ratios to one worker's."""
        rates = {name: round(rate, 2) for name, rate in asdict(self).items()}
        factors = {"factor": self.four / self.one, "factor_with_kills": self.four_killed / self.one}
        return {"imports_a_second": rates, **{name: round(factor, 2) for name, factor in factors.items()}}


def play(testbed: Testbed) -> Verdict:
    """Do the same work three times, with the same number of imports per worker."""
    each, kills, seconds = testbed.size.of(full=(40, 20, 40.0), short=(3, 2, 2.0))
    names = [f"worker-{number}" for number in range(WORKERS)]
    disruptions = plan_disruptions(testbed.rng, dict.fromkeys(names, EXPOSURE), number=kills, seconds=seconds)
    link = testbed.link("source", testbed.source.port)
    link.set(Delay(direction=Direction.TO_CLIENT, seconds=SOURCE_DELAY))
    testbed.start(workers=1)
    accepted, one = _done(testbed, testbed.push(each, host=link.host))
    start_together(*(testbed.new_worker() for _ in range(WORKERS - 1)))
    more, four = _done(testbed, testbed.push(each * WORKERS, host=link.host))
    pushed = testbed.push(each * WORKERS, host=link.host)
    with Disruptor(disruptions, dict(zip(names, testbed.workers, strict=True))) as disruptor:
        last, four_killed = _done(testbed, pushed)
        disruptor.wait_done()
    rates = Rates(one=one, four=four, four_killed=four_killed)
    return _verdict(testbed, [*accepted, *more, *last], rates, kills=len(disruptor.injected), wanted_kills=kills)


def _verdict(testbed: Testbed, accepted: Sequence[Accepted], rates: Rates, *, kills: int, wanted_kills: int) -> Verdict:
    totals = count_totals(testbed, accepted, testbed.outcomes())
    double = _double_claims(testbed.changes()) + _double_starts(testbed)
    return Verdict(
        held=totals.all_ready and double == 0 and kills == wanted_kills,
        figures={
            **totals.figures(),
            "double_claims": double,
            "kills": kills,
            **rates.figures(),
            "imports_by_worker": sorted(Counter(worker for _, _, worker in _starts(testbed)).values()),
        },
    )


def _done(testbed: Testbed, pushed: Sequence[PushedImage]) -> tuple[list[Accepted], float]:
    """Request all imports and wait for their end; return the finished imports per second, by the database's clock."""
    began = testbed.now()
    accepted = testbed.accept_all(pushed)
    testbed.wait_final(TIMEOUT)
    ended = float(testbed.sql("SELECT extract(epoch FROM max(finished_at)) FROM imports"))
    return accepted, len(accepted) / (ended - began)


def _double_claims(changes: Sequence[Change]) -> int:
    """Count claims of claimed imports, and claims that did not increase the attempt by one."""
    double = 0
    for name in {change.name for change in changes}:
        own = [change for change in changes if change.name == name]
        for before, after in pairwise(own):
            if after.state is ImportState.RUNNING:
                double += before.state is ImportState.RUNNING or after.attempt != before.attempt + 1
    return double


def _double_starts(testbed: Testbed) -> int:
    """Count attempts that more than one worker has started, from the workers' logs."""
    return sum(times - 1 for times in Counter((name, attempt) for name, attempt, _ in _starts(testbed)).values())


def _starts(testbed: Testbed) -> Iterator[tuple[str, int, str]]:
    """Yield the import, the attempt and the worker of each start in the workers' logs."""
    for worker in testbed.workers:
        assert worker.process
        for line in worker.process.log.read_text(errors="replace").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue  # The last line of a killed process may be incomplete.
            if record.get("event") == "import started":
                yield record["import_name"], record["attempt"], worker.name
