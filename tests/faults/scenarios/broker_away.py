"""RabbitMQ is down, unreachable, frozen, full, alarmed or without a binding while imports are requested."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus

from deploy.local.servers.rabbitmq import MEMORY_SHARE
from tests.faults.bench.imports import Accepted, PushedImage
from tests.faults.bench.testbed import Testbed, through
from tests.faults.bench.totals import count_totals
from tests.faults.bench.verdict import Verdict
from tests.faults.broker import VirtualHost
from tests.faults.clients import Query, querying
from tests.faults.fault import Direction, Fault, Freeze, Refuse, Silence
from tests.faults.link import Link

PROMISE = "Without the broker the API still accepts imports, and workers learn of them soon after its return."

# The time from the broker's return until all messages are published. Seconds.
BACKLOG_SECONDS = 30.0
# The time for all imports, which the workers start after the last trouble. Seconds.
TIMEOUT = 120.0
POLL_SECONDS = 0.05
# Concurrent import requests.
AT_ONCE = 4
# Concurrent readers.
PEOPLE = 2
# A share of the machine's memory that is always exceeded.
NO_MEMORY = "0.00001"


def play(testbed: Testbed) -> Verdict:
    """Cause each trouble in turn, in the seed's order; the workers start afterwards."""
    link = testbed.link("rabbitmq", testbed.rabbitmq.port)
    api = testbed.add_api(AMQP_URL=through(testbed.amqp_url, link))
    troubles = _troubles(testbed, link)
    names = testbed.rng.sample(sorted(troubles), len(troubles))
    names = testbed.size.of(full=names, short=["frozen", "refused"])
    number, seconds = testbed.size.of(full=(20, 15.0), short=(3, 1.0))
    images = iter(testbed.push(number * len(names)))
    reading = Query(method="GET", path="/api/v1/images", token=testbed.shared_servers.user_token)
    accepted: list[Accepted] = []
    found: dict[str, TroubleOutcome] = {}
    _await_backlog(testbed)
    with querying(api, [reading], PEOPLE) as responses:
        for name in names:
            pushed = [next(images) for _ in range(number)]
            new, found[name] = _run_trouble(testbed, pushed, troubles[name], seconds)
            accepted += new
    testbed.start(apis=0, workers=2)
    totals = count_totals(testbed, accepted, testbed.wait_final(TIMEOUT))
    errors = sum(one.status != HTTPStatus.OK for one in responses.all) + sum(one.tries for one in accepted)
    slowest = max(one.seconds for one in found.values())
    return Verdict(
        held=totals.all_ready
        and not errors
        and slowest <= BACKLOG_SECONDS
        and all(one.held_back for one in found.values()),
        figures={
            **totals.figures(),
            "api_errors": errors,
            "requests": len(responses.all) + len(accepted),
            "worst_answer_seconds": responses.worst,
            "backlog_published_worst_seconds": slowest,
            "troubles": {name: asdict(one) for name, one in found.items()},
        },
    )


Trouble = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class TroubleOutcome:
    """The effects of a trouble: the maximum of waiting messages, and the seconds from its end until none waited."""

    held_back: int
    seconds: float


def _troubles(testbed: Testbed, link: Link) -> Mapping[str, Trouble]:
    both = [Freeze(direction=each) for each in Direction]
    return {
        "down": partial(_down, testbed),
        "refused": partial(_harmed, link, [Refuse()], reset=True),
        "silent": partial(_harmed, link, [Silence()], reset=True),
        "frozen": partial(_harmed, link, both, reset=False),
        "full": partial(_full, testbed),
        "alarmed": partial(_alarmed, testbed),
        "unroutable": partial(_unroutable, testbed),
    }


@contextmanager
def _harmed(link: Link, faults: Sequence[Fault], *, reset: bool) -> Iterator[None]:
    with link.injecting(*faults):
        if reset:
            link.reset()
        yield


@contextmanager
def _down(testbed: Testbed) -> Iterator[None]:
    testbed.rabbitmq.stop()
    yield
    testbed.rabbitmq.start()


@contextmanager
def _full(testbed: Testbed) -> Iterator[None]:
    """Limit the queue to one message, without consumers."""
    host = VirtualHost(testbed)
    host.limit_queue(1)
    yield
    host.unlimit_queue()


@contextmanager
def _alarmed(testbed: Testbed) -> Iterator[None]:
    """Trigger RabbitMQ's memory alarm, which blocks publishers."""
    testbed.rabbitmq.control("set_vm_memory_high_watermark", NO_MEMORY)
    try:
        yield
    finally:
        testbed.rabbitmq.control("set_vm_memory_high_watermark", str(MEMORY_SHARE))


@contextmanager
def _unroutable(testbed: Testbed) -> Iterator[None]:
    """Unbind the queue; the relay declares and binds it again."""
    VirtualHost(testbed).unbind_queue()
    yield


def _run_trouble(
    testbed: Testbed, pushed: list[PushedImage], trouble: Trouble, seconds: float
) -> tuple[list[Accepted], TroubleOutcome]:
    """Request imports during the trouble; measure the waiting messages, and the time until they are published."""
    with trouble(), ThreadPoolExecutor(AT_ONCE) as pool:
        began, held = time.monotonic(), 0
        accepting = pool.map(testbed.accept, pushed)
        while time.monotonic() < began + seconds:
            held = max(held, _backlog(testbed))
            time.sleep(POLL_SECONDS)
        accepted = list(accepting)
    returned = time.monotonic()
    return accepted, TroubleOutcome(held_back=held, seconds=round(_await_backlog(testbed) - returned, 3))


def _backlog(testbed: Testbed) -> int:
    return int(testbed.sql("SELECT count(*) FROM outbox WHERE published_at IS NULL AND due_at <= now()"))


def _await_backlog(testbed: Testbed) -> float:
    """Wait until no message waits, at most twice the allowed time; return the end of the wait."""
    limit = time.monotonic() + 2 * BACKLOG_SECONDS
    while time.monotonic() < limit:
        if _backlog(testbed) == 0:
            break
        time.sleep(POLL_SECONDS)
    return time.monotonic()
