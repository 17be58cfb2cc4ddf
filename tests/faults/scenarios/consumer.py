"""What makes a consumer die quietly: a queue deleted or replaced, a broker or a connection that is silent."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial

from deploy.local.stack import Worker
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground, through
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted
from tests.faults.broker import VirtualHost
from tests.faults.fault import Direction, Freeze
from tests.faults.link import Link

PROMISE = "The consumer never dies silently: a worker is at most 60 seconds without consuming, or its process ends."

LIMIT = 60.0
# Above the limit, so that what breaks it is measured. Seconds.
PATIENCE = 100.0
LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class Deaf:
    """How long no import was taken, from when it could have been; what /readyz said meanwhile, and who was affected.

    `affected`: what shows that the trouble was there: refusals, consumers that were lost, connections that were harmed.
    """

    seconds: float
    unready: bool
    affected: int


def play(ground: Ground) -> Verdict:
    """Make each trouble, in an order of the seed's, with one worker; an import shows when it hears again."""
    link = ground.link("rabbitmq", ground.rabbitmq.port)
    ground.add_api()
    worker = ground.add_worker(AMQP_URL=through(ground.amqp_url, link))
    troubles = _troubles(ground, link, worker)
    kinds = ground.size.of(full=sorted(troubles) * 2, short=["refused_queue"])
    found: list[tuple[str, Deaf]] = []
    accepted: list[Accepted] = []
    for kind in ground.rng.sample(kinds, len(kinds)):
        affected, unready, began = troubles[kind](ground.size.of(full=40.0, short=2.0))
        accepted += ground.accept_all(ground.push(1))
        found.append((kind, Deaf(seconds=_until_taken(ground, began), unready=unready, affected=affected)))
    fates = count_fates(ground, accepted, ground.wait_final(PATIENCE))
    longest = max(one.seconds for _, one in found)
    return Verdict(
        held=fates.all_ready and longest <= LIMIT and all(one.affected for _, one in found) and worker.alive,
        figures={
            **fates.figures(),
            "longest_deaf_seconds": longest,
            "troubles": [{"kind": kind, **asdict(one)} for kind, one in found],
        },
    )


# Makes the trouble, for so many seconds where it has a length; returns what shows that it was there, whether the worker
# said that it is not ready, and from which moment on it could hear again.
Trouble = Callable[[float], tuple[int, bool, float]]


def _troubles(ground: Ground, link: Link, worker: Worker) -> Mapping[str, Trouble]:
    host = VirtualHost(ground)
    return {
        "refused_queue": partial(_refuse_queue, host, link, worker),
        "cancelled": partial(_cancel, host),
        "frozen_broker": partial(_freeze, link, worker),
        "half_open": partial(_half_open, link),
    }


def _refuse_queue(host: VirtualHost, link: Link, worker: Worker, seconds: float) -> tuple[int, bool, float]:
    """Put a queue of the same name and another kind in the place of ours: to declare ours is refused (406)."""
    before = _refusals(worker)
    host.delete_queue()
    host.declare_foreign_queue()
    link.reset()
    time.sleep(seconds)
    refused, unready = _refusals(worker) - before, not _ready(worker)
    host.delete_queue()
    return refused, unready, time.monotonic()


def _refusals(worker: Worker) -> int:
    """Return how often the worker was told that its queue is another one."""
    assert worker.process
    return worker.process.log.read_text(errors="replace").count("PRECONDITION_FAILED")


def _cancel(host: VirtualHost, _seconds: float) -> tuple[int, bool, float]:
    """Delete the queue: RabbitMQ sends basic.cancel, and the connection stays."""
    before = host.wait_consumers()
    host.delete_queue()
    return before, False, time.monotonic()


def _freeze(link: Link, worker: Worker, seconds: float) -> tuple[int, bool, float]:
    """Let RabbitMQ say nothing for a while, with its connections open."""
    with link.injecting(*(Freeze(direction=each) for each in Direction)):
        time.sleep(seconds)
        unready, affected = not _ready(worker), max(link.counts().affected)
    return affected, unready, time.monotonic()


def _half_open(link: Link, _seconds: float) -> tuple[int, bool, float]:
    """Let the open connection be silent for ever, as after a firewall has forgotten it; a new one would do."""
    link.set(*(Freeze(direction=each, times=1) for each in Direction))
    began = time.monotonic()
    # Heartbeats and looks pass often enough to strike it.
    while not any(link.counts().affected) and time.monotonic() < began + LIMIT:
        time.sleep(LOOK_SECONDS)
    return max(link.counts().affected), False, began


def _until_taken(ground: Ground, began: float) -> float:
    """Return the seconds from a moment until no import waits for a worker."""
    waiting = "SELECT count(*) FROM imports WHERE state = 'queued'"
    while ground.sql(waiting) != "0" and time.monotonic() < began + PATIENCE:
        time.sleep(LOOK_SECONDS)
    return round(time.monotonic() - began, 3)


def _ready(worker: Worker) -> bool:
    with suppress(OSError, http.client.HTTPException):
        return worker.probe()
    return False
