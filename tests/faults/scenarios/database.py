"""PostgreSQL freezes, is unreachable, restarts, holds a lock, while people ask the API."""

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
from tests.faults.bench.ground import Ground, through
from tests.faults.bench.verdict import Verdict
from tests.faults.crowd import Crowd, Question, ask, asking
from tests.faults.fault import Direction, Fault, Freeze, Refuse, Silence
from tests.faults.link import Link

PROMISE = "Database trouble degrades: no request takes more than five seconds, and no connection is lost for good."

LIMIT = 5.0
# After the trouble, everything is answered as before within so long. Seconds.
RECOVERY = 5.0
# More than the pool has connections: some find it exhausted.
PEOPLE = POOL_SIZE + 10
# The service's own loops have some at times.
OWN_USES = 3
PATIENCE = 60.0
LOOK_SECONDS = 0.05
TABLES = "images, imports, outbox, api_tokens, source_registries"


def play(ground: Ground) -> Verdict:
    """Make each trouble in turn, in an order of the seed's, and look at what people heard."""
    link = ground.link("postgres", ground.postgres.port)
    api = ground.add_api(DATABASE_URL=through(ground.database_url, link))
    ground.add_worker()
    questions = _questions(ground)
    troubles = _troubles(ground, link)
    names = ground.rng.sample(sorted(troubles), ground.size.of(full=len(troubles), short=1))
    seconds = ground.size.of(full=12.0, short=3.5)
    found: dict[str, Mapping[str, object]] = {}
    with asking(api, questions, PEOPLE) as crowd:
        for name in names:
            found[name] = _suffer(crowd, api, questions, troubles[name], seconds)
    usable = _usable(ground, api)
    worst, odd = crowd.worst, _odd(crowd)
    return Verdict(
        held=worst <= LIMIT
        and not odd
        and usable >= POOL_SIZE - OWN_USES
        and all(one["affected"] and one["recovered_seconds"] is not None for one in found.values()),
        figures={
            "requests": len(crowd.heard),
            "worst_seconds": worst,
            "statuses": crowd.statuses,
            "odd_answers": odd,
            "connections_usable": usable,
            "connections_leaked": max(0, POOL_SIZE - OWN_USES - usable),
            "troubles": found,
        },
    )


def _questions(ground: Ground) -> list[Question]:
    """Return what people ask: what reads and what writes, about an image that is ready."""
    accepted = ground.accept(ground.push(1)[0])
    ground.wait_final(PATIENCE, states=[ImportState.READY])
    user, image = ground.plant.user_token, f"/api/v1/images/{accepted.image_id}"
    report = dump_report(ProgressReport(attempt=1, sequence=1_000, state=ReportedState.RUNNING))
    progress = f"/api/v1/images:import/{accepted.name}/progress"
    return [
        Question(method="GET", path="/api/v1/images", token=user),
        Question(method="GET", path=image, token=user),
        Question(method="GET", path=f"{image}/importing-details", token=user),
        Question(method="POST", path="/api/v1/images:import", token=user, body={"source": accepted.wanted.reference}),
        Question(method="PUT", path=progress, token=ground.plant.worker_token, body=report),
        Question(method="GET", path="/api/v1/whoami", token=user),
        Question(method="GET", path="/readyz"),
    ]


def _troubles(ground: Ground, link: Link) -> Mapping[str, Callable[[float], None]]:
    """Return what may happen, each for so many seconds."""
    both = [Freeze(direction=each) for each in Direction]
    return {
        "frozen_way": partial(_harm, link, both, reset=False),
        "answers_lost": partial(_harm, link, [Freeze(direction=Direction.TO_CLIENT)], reset=False),
        "silent": partial(_harm, link, [Silence()], reset=True),
        "refused": partial(_harm, link, [Refuse()], reset=True),
        "frozen_server": partial(_freeze, ground),
        "restarted": partial(_restart, ground),
        "killed": partial(_kill, ground),
        "locked": partial(_lock, ground, TABLES),
        "pool_exhausted": partial(_lock, ground, "images"),
    }


def _harm(link: Link, faults: Sequence[Fault], seconds: float, *, reset: bool) -> None:
    with link.injecting(*faults):
        if reset:
            link.reset()
        time.sleep(seconds)


def _freeze(ground: Ground, seconds: float) -> None:
    """Stop the server with all that serves anybody."""
    processes = [ground.postgres.pid, *descendants(ground.postgres.pid)]
    _signal(processes, signal.SIGSTOP)
    time.sleep(seconds)
    _signal(processes, signal.SIGCONT)


def _signal(processes: list[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue  # One that served a connection that has ended.


def _restart(ground: Ground, seconds: float) -> None:
    ground.postgres.stop()
    time.sleep(seconds)
    ground.postgres.start()


def _kill(ground: Ground, seconds: float) -> None:
    ground.postgres.kill()
    time.sleep(seconds)
    ground.postgres.start()


def _lock(ground: Ground, tables: str, seconds: float) -> None:
    """Hold tables locked, as a long migration would."""
    ground.postgres.execute(
        f"BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT;",
        database=ground.database,
    )


def _suffer(
    crowd: Crowd, api: Api, questions: list[Question], trouble: Callable[[float], None], seconds: float
) -> Mapping[str, object]:
    """Let it happen, wait until all is well, and tell what was heard meanwhile."""
    began = time.monotonic()
    trouble(seconds)
    recovered = _recovered(api, questions)
    heard = crowd.since(began)
    return {
        "affected": heard.troubled(HTTPStatus.SERVICE_UNAVAILABLE),
        "worst_seconds": heard.worst,
        "statuses": heard.statuses,
        "recovered_seconds": recovered,
    }


def _recovered(api: Api, questions: list[Question]) -> float | None:
    """Return the seconds until every question is answered well, None where that takes too long."""
    began = time.monotonic()
    while time.monotonic() - began < RECOVERY:
        answers = [ask(api, question).status for question in questions]
        if all(_well(status) for status in answers):
            return round(time.monotonic() - began, 3)
    return None


def _well(status: int) -> bool:
    """Tell whether the database was asked: a report on an import that has ended is refused for that (409)."""
    return status in {HTTPStatus.OK, HTTPStatus.CONFLICT}


def _odd(crowd: Crowd) -> int:
    """Count answers that are neither good nor say that the service will be back."""
    return sum(not _well(one.status) and one.status != HTTPStatus.SERVICE_UNAVAILABLE for one in crowd.heard)


def _usable(ground: Ground, api: Api) -> int:
    """Return how many of the API's connections can be in use at a time: with one table locked, all who ask wait."""
    question = Question(method="GET", path="/api/v1/images", token=ground.plant.user_token)
    most = 0
    with _locked(ground), asking(api, [question], PEOPLE):
        limit = time.monotonic() + LIMIT
        while most < POOL_SIZE and time.monotonic() < limit:
            waiting = ground.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'longshore-api' AND wait_event_type = 'Lock'"
            )
            most = max(most, int(waiting))
    return most


@contextmanager
def _locked(ground: Ground) -> Iterator[None]:
    """Lock the images for as long as the count of connections may take."""
    thread = threading.Thread(target=_lock, args=(ground, "images", LIMIT))
    thread.start()
    time.sleep(LOOK_SECONDS)
    try:
        yield
    finally:
        thread.join()
