"""Documents that unfold in memory, imported and planned by dry runs; the API answers others meanwhile."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from benchmarks.processes import cpu_seconds, peak_rss
from deploy.local.stack import Api
from shared.model.states import ImportState
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.content.bombs import ACCEPTED, MIB, REFUSED, Bomb
from tests.faults.scripted_server import serving
from tests.scripted.registry import ScriptedRegistry

PROMISE = "No document fills the memory of a worker or an API, or stops the API for others: it is refused at once."

WORKER_MEMORY = 150 * MIB
API_MEMORY = 200 * MIB
# The longest time for which the API's event loop may stand still. Seconds. The short form runs beside other tests: on a
# busy machine, the thread that parses documents counts against it, too.
STILL = 0.1
STILL_AMONG_TESTS = 0.5
DRY_RUNS_AT_ONCE = 4
PROBE_PAUSE = 0.005
TIMEOUT = 120.0
# The short form has the documents that take the most, of each kind.
SHORT = ("children larger than stated", "35,000 entries of shared blobs", "small objects", "a layer of 1 PiB")
OK = 200


def play(testbed: Testbed) -> Verdict:
    """Plan each document in four dry runs at once, and import it."""
    with serving(ScriptedRegistry()) as registry:
        testbed.allow(registry.host)
        api = testbed.add_api(MAX_FAILURES="1")
        worker = testbed.add_worker()
        with _probing(api) as probe:
            ends = [
                _explode(testbed, registry, name, bomb, accepted=name in ACCEPTED)
                for name, bomb in _catalogue(testbed).items()
            ]
        api_peak, worker_peak = peak_rss(api.pid), peak_rss(worker.pid)
    return Verdict(
        held=all(end.good for end in ends)
        and api_peak <= API_MEMORY
        and worker_peak <= WORKER_MEMORY
        and probe.answers > 0
        and probe.still <= testbed.size.of(full=STILL, short=STILL_AMONG_TESTS),
        figures={
            "documents": len(ends),
            "api_peak_mib": round(api_peak / MIB, 1),
            "worker_peak_mib": round(worker_peak / MIB, 1),
            "loop_still_seconds": round(probe.still, 3),
            "slowest_answer_seconds": round(probe.slowest, 3),
            "probes": probe.answers,
            "ends": [asdict(end) for end in ends],
        },
    )


def _catalogue(testbed: Testbed) -> Mapping[str, Bomb]:
    every = {**REFUSED, **ACCEPTED}
    return testbed.size.of(full=every, short={name: every[name] for name in SHORT})


@dataclass(frozen=True, kw_only=True)
class _End:
    """The answers of the dry runs to one document, and the end of its import."""

    name: str
    accepted: bool
    dry_runs: list[str]
    state: str
    code: str | None
    seconds: float

    @property
    def good(self) -> bool:
        """Whether dry runs and import agree, and no error is Longshore's own."""
        if self.accepted:
            return self.state == ImportState.READY and set(self.dry_runs) == {"ok"}
        refused = self.state == ImportState.FAILED and self.code not in (None, "internal_error", "worker_lost")
        # A dry run has ten seconds in all, which a busy machine may use up: it ends then, too.
        return refused and set(self.dry_runs) <= {self.code, "dry_run_timeout"}


def _explode(testbed: Testbed, registry: ScriptedRegistry, name: str, bomb: Bomb, *, accepted: bool) -> _End:
    repository = f"bombs/{name.lower().replace(' ', '-').replace(',', '')}"
    bomb(registry, repository)
    source = f"{registry.host}/{repository}:latest"
    began = time.monotonic()

    def dry_run(_: int) -> str:
        status, answer = testbed.ask("POST", "/images:import", {"source": source, "dryRun": True})
        return "ok" if status == OK else str(answer["code"])

    with ThreadPoolExecutor(DRY_RUNS_AT_ONCE) as pool:
        dry_runs = list(pool.map(dry_run, range(DRY_RUNS_AT_ONCE)))
    status, answer = testbed.ask("POST", "/images:import", {"source": source})
    if status == OK:
        outcome = next(one for one in testbed.wait_final(TIMEOUT) if one.name == answer["name"])
        state, code = outcome.state, outcome.code
    else:
        state, code = ImportState.FAILED, answer["code"]
    seconds = round(time.monotonic() - began, 3)
    return _End(name=name, accepted=accepted, dry_runs=dry_runs, state=state.value, code=code, seconds=seconds)


@dataclass(kw_only=True)
class _Probe:
    """The API's answers to a request that needs nothing; `still` is what the API itself computed before one of them.

    On a busy machine an answer may be late although the event loop is free. The loop stands still for at most the
    answer's time, and for at most the CPU time that the API has taken meanwhile.
    """

    answers: int = 0
    slowest: float = 0.0
    still: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self, api: Api) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=TIMEOUT)
        while not self.ended.wait(PROBE_PAUSE):
            began, cpu = time.monotonic(), cpu_seconds(api.pid)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            seconds, computed = time.monotonic() - began, cpu_seconds(api.pid) - cpu
            self.answers += 1
            self.slowest = max(self.slowest, seconds)
            self.still = max(self.still, min(seconds, computed))
        connection.close()


@contextmanager
def _probing(api: Api) -> Iterator[_Probe]:
    """Ask the API all the time while the block runs."""
    probe = _Probe()
    thread = threading.Thread(target=probe.run, args=(api,), daemon=True)
    thread.start()
    try:
        yield probe
    finally:
        probe.ended.set()
        thread.join(TIMEOUT)
