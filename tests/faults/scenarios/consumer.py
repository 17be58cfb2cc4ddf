"""Events after which a consumer may be silently dead: a deleted or replaced queue, a silent broker or connection."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

from deploy.local.stack import Worker
from tests.faults.bench.imports import Accepted
from tests.faults.bench.testbed import Testbed, through
from tests.faults.bench.totals import count_totals
from tests.faults.bench.verdict import Verdict
from tests.faults.broker import VirtualHost
from tests.faults.fault import Direction, Freeze
from tests.faults.link import Link

PROMISE = "The consumer never dies silently: a worker is at most 60 seconds without consuming, or its process ends."

LIMIT = 60.0
# Above the limit, so that a violation is measured. Seconds.
TIMEOUT = 100.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """The time without a claim after the end of the trouble, and whether /readyz reported the trouble.

    `affected` is the evidence of the trouble: the number of refusals, lost consumers, or affected connections.
    """

    seconds: float
    unready: bool
    affected: int


def play(testbed: Testbed) -> Verdict:
    """Cause each trouble with one worker, in the seed's order; an import shows when the worker consumes again."""
    link = testbed.link("rabbitmq", testbed.rabbitmq.port)
    testbed.add_api()
    worker = testbed.add_worker(AMQP_URL=through(testbed.amqp_url, link))
    troubles = _troubles(testbed, link, worker)
    kinds = testbed.size.of(full=sorted(troubles) * 2, short=["refused_queue"])
    found: list[tuple[str, Interruption]] = []
    accepted: list[Accepted] = []
    for kind in testbed.rng.sample(kinds, len(kinds)):
        affected, unready, began = troubles[kind](testbed.size.of(full=40.0, short=2.0))
        accepted += testbed.accept_all(testbed.push(1))
        found.append((kind, Interruption(seconds=_until_taken(testbed, began), unready=unready, affected=affected)))
    totals = count_totals(testbed, accepted, testbed.wait_final(TIMEOUT))
    longest = max(one.seconds for _, one in found)
    return Verdict(
        held=totals.all_ready and longest <= LIMIT and all(one.affected for _, one in found) and worker.alive,
        figures={
            **totals.figures(),
            "longest_interruption_seconds": longest,
            "troubles": [{"kind": kind, **asdict(one)} for kind, one in found],
        },
    )


# Causes a trouble for a number of seconds, if it has a duration. Returns its evidence, whether the worker was not
# ready, and the time from which the worker could consume again.
Trouble = Callable[[float], tuple[int, bool, float]]


def _troubles(testbed: Testbed, link: Link, worker: Worker) -> Mapping[str, Trouble]:
    host = VirtualHost(testbed)
    return {
        "refused_queue": partial(_refuse_queue, host, link, worker),
        "cancelled": partial(_cancel, host),
        "frozen_broker": partial(_freeze, link, worker),
        "half_open": partial(_half_open, link),
    }


def _refuse_queue(host: VirtualHost, link: Link, worker: Worker, seconds: float) -> tuple[int, bool, float]:
    """Replace the queue by one of another kind, so that its declaration is refused (406)."""
    before = _refusals(worker)
    host.delete_queue()
    host.declare_foreign_queue()
    link.reset()
    time.sleep(seconds)
    refused, unready = _refusals(worker) - before, not _ready(worker)
    host.delete_queue()
    return refused, unready, time.monotonic()


def _refusals(worker: Worker) -> int:
    """Return how often RabbitMQ has refused the worker's declaration."""
    assert worker.process
    return worker.process.log.read_text(errors="replace").count("PRECONDITION_FAILED")


def _cancel(host: VirtualHost, _seconds: float) -> tuple[int, bool, float]:
    """Delete the queue: RabbitMQ sends basic.cancel, and the connection stays."""
    before = host.wait_consumers()
    host.delete_queue()
    return before, False, time.monotonic()


def _freeze(link: Link, worker: Worker, seconds: float) -> tuple[int, bool, float]:
    """Silence RabbitMQ for a while, with open connections."""
    with link.injecting(*(Freeze(direction=each) for each in Direction)):
        time.sleep(seconds)
        unready, affected = not _ready(worker), max(link.counts().affected)
    return affected, unready, time.monotonic()


def _half_open(link: Link, _seconds: float) -> tuple[int, bool, float]:
    """Silence the open connection permanently, like a firewall that has lost its state; new connections work."""
    link.set(*(Freeze(direction=each, times=1) for each in Direction))
    began = time.monotonic()
    # Heartbeats are frequent enough to trigger the fault.
    while not any(link.counts().affected) and time.monotonic() < began + LIMIT:
        time.sleep(POLL_SECONDS)
    return max(link.counts().affected), False, began


def _until_taken(testbed: Testbed, began: float) -> float:
    """Return the seconds from a moment until no import waits for a worker."""
    waiting = "SELECT count(*) FROM imports WHERE state = 'queued'"
    while testbed.sql(waiting) != "0" and time.monotonic() < began + TIMEOUT:
        time.sleep(POLL_SECONDS)
    return round(time.monotonic() - began, 3)


def _ready(worker: Worker) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return worker.probe()
    return False
