"""Imports and dry runs of images from registries whose answers are mutated; requests of clients that are not known."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from joserfc.jwk import RSAKey

from deploy.local.stack import Remote, Server
from shared.model.states import FINAL_STATES, ImportState
from tests.faults.bench.imports import Outcome
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.content.fuzz_clients import ClientsOutcome, fuzz_clients
from tests.faults.content.fuzzed import Case, Farm, is_whole, make_case
from tests.scripted.answer import as_json
from tests.scripted.registry import ScriptedRegistry

PROMISE = "No answer of a registry, and no request of a client, makes Longshore fail itself: each is read or refused."

# Mutated answers, and requests of clients.
ANSWERS = 10_000
ANSWERS_SHORT = 200
REQUESTS = 3_000
REQUESTS_SHORT = 150
# Cases whose imports are under way at once, and requests to the API at once.
BATCH = 400
BATCH_SHORT = 60
AT_ONCE = 12
# Addresses of registries: as many as the cases need.
HOSTS = 4_000
HOSTS_SHORT = 200
# An import that waits for a rate limit ends at its deadline.
SETTINGS = {"MAX_FAILURES": "1", "IMPORT_DEADLINE_SECONDS": "15", "LEASE_SECONDS": "30", "WORKER_SLOTS": "12"}
# Seconds for the ends of one batch.
TIMEOUT = 300.0
RETRY_SECONDS = 0.2
OK, TOO_MANY = 200, 429
# Events in the logs of the services that show a failure of their own.
OWN_FAILURES = ("request.failed", "import.crashed", "report.refused")


@dataclass(kw_only=True)
class _Totals:
    """The ends of all cases. `wrong` names ready images that are not whole, `errors` Longshore's own errors."""

    cases: int = 0
    answers: int = 0
    dry_runs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    open: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def count(self, code: str) -> int:
        return sum(counter[code] for counter in (self.dry_runs, self.refused, self.ends))


def play(testbed: Testbed) -> Verdict:
    """Import images until enough mutated answers were sent, then let unknown clients send requests."""
    with Farm(testbed.rng, testbed.size.of(full=HOSTS, short=HOSTS_SHORT)) as farm:
        issuer = _issuer(farm)
        network = {"ALLOWED_PRIVATE": "127.0.0.0/8", "PLAIN_HTTP_HOSTS": ",".join(farm.hosts)}
        oidc = {"OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": "longshore"}
        testbed.start(apis=testbed.size.of(full=2, short=1), workers=2, **SETTINGS, **network, **oidc)
        processes = [service.pid for service in (*testbed.apis, *testbed.workers)]
        totals = _Totals()
        while totals.answers < testbed.size.of(full=ANSWERS, short=ANSWERS_SHORT) and not totals.open:
            _play_batch(testbed, farm, totals, testbed.size.of(full=BATCH, short=BATCH_SHORT))
        clients = fuzz_clients(testbed.apis[0].port, testbed.rng, testbed.size.of(full=REQUESTS, short=REQUESTS_SHORT))
        same = processes == [service.pid for service in (*testbed.apis, *testbed.workers) if service.alive]
        logged = _logged([*testbed.apis, *testbed.workers])
        farm.stop([issuer])
    return _verdict(totals, clients, logged, same=same)


def _verdict(totals: _Totals, clients: ClientsOutcome, logged: Counter[str], *, same: bool) -> Verdict:
    own = {code: totals.count(code) for code in ("internal_error", "worker_lost", "api_refused")}
    failures = {event: logged[event] for event in OWN_FAILURES}
    return Verdict(
        held=same
        and totals.ends[ImportState.READY] > 0
        and not (any(own.values()) or any(failures.values()) or totals.wrong or totals.open or clients.failed),
        figures={
            "mutated_answers": totals.answers,
            "images": totals.cases,
            **own,
            "refused_reports": failures["report.refused"],
            "ready_with_anything_missing": len(totals.wrong),
            "wrong": totals.wrong,
            "open": totals.open,
            "ends": dict(totals.ends),
            "refused": dict(totals.refused),
            "dry_runs": dict(totals.dry_runs),
            "turned_at_the_boundary": logged["answer.unreadable"],
            "own_failures_logged": failures,
            "requests_of_clients": sum(clients.statuses.values()),
            "statuses": {str(status): number for status, number in sorted(clients.statuses.items())},
            "server_errors": clients.failed,
            "processes_that_ended": int(not same),
        },
    )


def _issuer(farm: Farm) -> ScriptedRegistry:
    """Start an OIDC issuer, so that JWTs are read."""
    issuer = ScriptedRegistry()
    farm.start(issuer)
    keys = {"keys": [RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}).as_dict(private=False)]}
    configuration = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
    issuer.on("GET", "/.well-known/openid-configuration").answer_with(lambda _: as_json(configuration))
    issuer.on("GET", "/keys").answer_with(lambda _: as_json(keys))
    return issuer


def _play_batch(testbed: Testbed, farm: Farm, totals: _Totals, number: int) -> None:
    target = Remote.of(testbed.target)
    cases = [make_case(farm, testbed.rng) for _ in range(number)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        importing = [pool.submit(_import, testbed, case) for case in cases]
        for code in pool.map(lambda case: _dry_run(testbed, case), cases):
            totals.dry_runs[code] += 1
        asked = [each.result() for each in importing]
    names = {name: case for case, (name, _) in zip(cases, asked, strict=True) if name}
    totals.refused.update(code for name, code in asked if not name)
    ends = _ends(testbed, set(names))
    ready = [outcome for outcome in ends if outcome.state is ImportState.READY]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        whole = list(pool.map(lambda outcome: is_whole(target, outcome.repository, outcome.tag), ready))
    totals.ends.update(outcome.code or outcome.state.value for outcome in ends)
    totals.open += [f"{each.name} {_story(names[each.name])}" for each in ends if not each.final]
    totals.wrong += [
        f"{each.repository}:{each.tag} {_story(names[each.name])}"
        for each, right in zip(ready, whole, strict=True)
        if not right
    ]
    totals.cases += number
    totals.answers += sum(case.mutated for case in cases)
    farm.stop([case.registry for case in cases])


def _story(case: Case) -> str:
    return f"made: {case.made}, sent: {', '.join(case.sent)}"


def _dry_run(testbed: Testbed, case: Case) -> str:
    body = {"source": case.reference, "dryRun": True, "referrers": True}
    _, answer = testbed.ask("POST", "/images:import", body, api=testbed.apis[-1])
    return str(answer.get("code", "ok"))


def _import(testbed: Testbed, case: Case) -> tuple[str | None, str]:
    """Return the import's name, or the code with which the API refuses it."""
    for _ in itertools.repeat(None):
        status, answer = testbed.ask(
            "POST", "/images:import", {"source": case.reference, "referrers": True, "force": True}
        )
        if status == OK:
            return answer["name"], "ok"
        if status != TOO_MANY:
            return None, str(answer["code"])
        time.sleep(RETRY_SECONDS)
    raise AssertionError


def _ends(testbed: Testbed, names: set[str]) -> list[Outcome]:
    """Wait for the ends of these imports."""
    among = ", ".join(f"'{state}'" for state in FINAL_STATES)
    testbed.wait_until(
        lambda: testbed.sql(f"SELECT count(*) FROM imports WHERE state NOT IN ({among})") == "0", TIMEOUT
    )
    return [outcome for outcome in testbed.outcomes() if outcome.name in names]


def _logged(services: list[Server]) -> Counter[str]:
    """Count events in the services' logs."""
    counted: Counter[str] = Counter()
    for service in services:
        assert service.process
        text = service.process.log.read_text(errors="replace")
        counted.update({event: text.count(f'"{event}"') for event in (*OWN_FAILURES, "answer.unreadable")})
    return counted
