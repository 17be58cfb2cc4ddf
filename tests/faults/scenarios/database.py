"""PostgreSQL freezes, is unreachable, restarts or holds a lock while clients call the API."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from api_service.parts import POOL_SIZE
from deploy.local.processes.guardian import descendants
from deploy.local.stack import Api
from shared.messages.progress_report import ProgressReport, ReportedState, dump_report
from shared.model.states import ImportState
from tests.faults.bench.testbed import Testbed, through
from tests.faults.bench.verdict import Verdict
from tests.faults.clients import Query, Responses, ask, querying
from tests.faults.fault import Direction, Fault, Freeze, Refuse, Silence
from tests.faults.link import Link

PROMISE = "Database trouble degrades: no request takes more than five seconds, and no connection is lost for good."

LIMIT = 5.0
# After the trouble, all requests succeed again within this time. Seconds.
RECOVERY = 5.0
# More clients than connections in the pool, so that some find it exhausted.
PEOPLE = POOL_SIZE + 10
# Connections that the API's background tasks may use.
OWN_USES = 3
TIMEOUT = 60.0
POLL_SECONDS = 0.05
TABLES = "images, imports, outbox, api_tokens, source_registries"


def play(testbed: Testbed) -> Verdict:
    """Cause each trouble in turn, in the seed's order, and check the clients' responses."""
    link = testbed.link("postgres", testbed.postgres.port)
    api = testbed.add_api(DATABASE_URL=through(testbed.database_url, link))
    testbed.add_worker()
    queries = _questions(testbed)
    troubles = _troubles(testbed, link)
    names = testbed.rng.sample(sorted(troubles), testbed.size.of(full=len(troubles), short=1))
    seconds = testbed.size.of(full=12.0, short=3.5)
    found: dict[str, Mapping[str, object]] = {}
    with querying(api, queries, PEOPLE) as responses:
        for name in names:
            found[name] = _run_trouble(responses, api, queries, troubles[name], seconds)
    usable = _usable(testbed, api)
    worst, odd = responses.worst, _odd(responses)
    return Verdict(
        held=worst <= LIMIT
        and not odd
        and usable >= POOL_SIZE - OWN_USES
        and all(one["affected"] and one["recovered_seconds"] is not None for one in found.values()),
        figures={
            "requests": len(responses.all),
            "worst_seconds": worst,
            "statuses": responses.statuses,
            "odd_answers": odd,
            "connections_usable": usable,
            "connections_leaked": max(0, POOL_SIZE - OWN_USES - usable),
            "troubles": found,
        },
    )


def _questions(testbed: Testbed) -> list[Query]:
    """Return requests that read and write, about an image that is ready."""
    accepted = testbed.accept(testbed.push(1)[0])
    testbed.wait_final(TIMEOUT, states=[ImportState.READY])
    user, image = testbed.shared_servers.user_token, f"/api/v1/images/{accepted.image_id}"
    report = dump_report(ProgressReport(attempt=1, sequence=1_000, state=ReportedState.RUNNING))
    progress = f"/api/v1/images:import/{accepted.name}/progress"
    return [
        Query(method="GET", path="/api/v1/images", token=user),
        Query(method="GET", path=image, token=user),
        Query(method="GET", path=f"{image}/importing-details", token=user),
        Query(method="POST", path="/api/v1/images:import", token=user, body={"source": accepted.pushed.reference}),
        Query(method="PUT", path=progress, token=testbed.shared_servers.worker_token, body=report),
        Query(method="GET", path="/api/v1/whoami", token=user),
        Query(method="GET", path="/readyz"),
    ]


def _troubles(testbed: Testbed, link: Link) -> Mapping[str, Callable[[float], None]]:
    """Return the troubles; each takes its duration in seconds."""
    both = [Freeze(direction=each) for each in Direction]
    return {
        "frozen_way": partial(_harm, link, both, reset=False),
        "answers_lost": partial(_harm, link, [Freeze(direction=Direction.TO_CLIENT)], reset=False),
        "silent": partial(_harm, link, [Silence()], reset=True),
        "refused": partial(_harm, link, [Refuse()], reset=True),
        "frozen_server": partial(_freeze, testbed),
        "restarted": partial(_restart, testbed),
        "killed": partial(_kill, testbed),
        "locked": partial(_lock, testbed, TABLES),
        "pool_exhausted": partial(_lock, testbed, "images"),
    }


def _harm(link: Link, faults: Sequence[Fault], seconds: float, *, reset: bool) -> None:
    with link.injecting(*faults):
        if reset:
            link.reset()
        time.sleep(seconds)


def _freeze(testbed: Testbed, seconds: float) -> None:
    """Freeze the server with all its backends."""
    processes = [testbed.postgres.pid, *descendants(testbed.postgres.pid)]
    _signal(processes, signal.SIGSTOP)
    time.sleep(seconds)
    _signal(processes, signal.SIGCONT)


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue  # A backend whose connection has ended.


def _restart(testbed: Testbed, seconds: float) -> None:
    testbed.postgres.stop()
    time.sleep(seconds)
    testbed.postgres.start()


def _kill(testbed: Testbed, seconds: float) -> None:
    testbed.postgres.kill()
    time.sleep(seconds)
    testbed.postgres.start()


def _lock(testbed: Testbed, tables: str, seconds: float) -> None:
    """Lock tables, like a long migration."""
    testbed.postgres.execute(
        f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT;",
        database=testbed.database,
    )


def _run_trouble(
    responses: Responses, api: Api, queries: list[Query], trouble: Callable[[float], None], seconds: float
) -> Mapping[str, object]:
    """Cause the trouble, wait for the recovery, and return the figures of the responses meanwhile."""
    began = time.monotonic()
    trouble(seconds)
    recovered = _recovered(api, queries)
    meanwhile = responses.since(began)
    return {
        "affected": meanwhile.troubled(HTTPStatus.SERVICE_UNAVAILABLE),
        "worst_seconds": meanwhile.worst,
        "statuses": meanwhile.statuses,
        "recovered_seconds": recovered,
    }


def _recovered(api: Api, queries: list[Query]) -> float | None:
    """Return the seconds until every request succeeds, or None if that takes too long."""
    began = time.monotonic()
    while time.monotonic() - began < RECOVERY:
        answers = [ask(api, query).status for query in queries]
        if all(_well(status) for status in answers):
            return round(time.monotonic() - began, 3)
    return None


def _well(status: int) -> bool:
    """Return whether the database was used: a report of an import that has ended is refused with 409."""
    return status in {HTTPStatus.OK, HTTPStatus.CONFLICT}


def _odd(responses: Responses) -> int:
    """Count responses that neither succeed nor are 503."""
    return sum(not _well(one.status) and one.status != HTTPStatus.SERVICE_UNAVAILABLE for one in responses.all)


def _usable(testbed: Testbed, api: Api) -> int:
    """Return how many of the API's connections can be in use at once: while a table is locked, all requests wait."""
    query = Query(method="GET", path="/api/v1/images", token=testbed.shared_servers.user_token)
    most = 0
    with _locked(testbed), querying(api, [query], PEOPLE):
        limit = time.monotonic() + LIMIT
        while most < POOL_SIZE and time.monotonic() < limit:
            waiting = testbed.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'longshore-api' AND wait_event_type = 'Lock'"
            )
            most = max(most, int(waiting))
    return most


@contextmanager
def _locked(testbed: Testbed) -> Iterator[None]:
    """Lock the table images while the connections are counted."""
    thread = threading.Thread(target=_lock, args=(testbed, "images", LIMIT))
    thread.start()
    time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        thread.join()
