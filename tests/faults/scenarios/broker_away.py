"""RabbitMQ is down, unreachable, frozen, full, alarmed or leads nowhere while imports are asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from http import HTTPStatus

from deploy.local.servers.rabbitmq import MEMORY_SHARE
from tests.faults.bench.fates import count_fates
from tests.faults.bench.ground import Ground, through
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Wanted
from tests.faults.broker import VirtualHost
from tests.faults.crowd import Question, asking
from tests.faults.fault import Direction, Fault, Freeze, Refuse, Silence
from tests.faults.link import Link

PROMISE = "The broker being away is not the API being away: imports are accepted, and told to workers soon after."

# From the broker's return until no message waits any more. Seconds.
BACKLOG_SECONDS = 30.0
# For the end of all imports, which workers begin to carry out after the last trouble. Seconds.
PATIENCE = 120.0
LOOK_SECONDS = 0.05
# Imports that are accepted at the same time.
AT_ONCE = 4
# Readers beside them.
PEOPLE = 2
# As a share of the machine's memory, this is exceeded at once.
NO_MEMORY = "0.00001"


def play(ground: Ground) -> Verdict:
    """Make each trouble in turn, in an order of the seed's; workers come when all is over."""
    link = ground.link("rabbitmq", ground.rabbitmq.port)
    api = ground.add_api(AMQP_URL=through(ground.amqp_url, link))
    troubles = _troubles(ground, link)
    names = ground.rng.sample(sorted(troubles), len(troubles))
    names = ground.size.of(full=names, short=["frozen", "refused"])
    number, seconds = ground.size.of(full=(20, 15.0), short=(3, 1.0))
    images = iter(ground.push(number * len(names)))
    reading = Question(method="GET", path="/api/v1/images", token=ground.plant.user_token)
    accepted: list[Accepted] = []
    found: dict[str, Suffered] = {}
    _await_backlog(ground)
    with asking(api, [reading], PEOPLE) as crowd:
        for name in names:
            wanted = [next(images) for _ in range(number)]
            told, found[name] = _suffer(ground, wanted, troubles[name], seconds)
            accepted += told
    ground.start(apis=0, workers=2)
    fates = count_fates(ground, accepted, ground.wait_final(PATIENCE))
    errors = sum(one.status != HTTPStatus.OK for one in crowd.heard) + sum(one.tries for one in accepted)
    slowest = max(one.seconds for one in found.values())
    return Verdict(
        held=fates.all_ready
        and not errors
        and slowest <= BACKLOG_SECONDS
        and all(one.held_back for one in found.values()),
        figures={
            **fates.figures(),
            "api_errors": errors,
            "requests": len(crowd.heard) + len(accepted),
            "worst_answer_seconds": crowd.worst,
            "backlog_published_worst_seconds": slowest,
            "troubles": {name: asdict(one) for name, one in found.items()},
        },
    )


Trouble = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Suffered:
    """What a trouble did: the most messages that waited, and the seconds from its end until none did."""

    held_back: int
    seconds: float


def _troubles(ground: Ground, link: Link) -> Mapping[str, Trouble]:
    both = [Freeze(direction=each) for each in Direction]
    return {
        "down": partial(_down, ground),
        "refused": partial(_harmed, link, [Refuse()], reset=True),
        "silent": partial(_harmed, link, [Silence()], reset=True),
        "frozen": partial(_harmed, link, both, reset=False),
        "full": partial(_full, ground),
        "alarmed": partial(_alarmed, ground),
        "unroutable": partial(_unroutable, ground),
    }


@contextmanager
def _harmed(link: Link, faults: Sequence[Fault], *, reset: bool) -> Iterator[None]:
    with link.injecting(*faults):
        if reset:
            link.reset()
        yield


@contextmanager
def _down(ground: Ground) -> Iterator[None]:
    ground.rabbitmq.stop()
    yield
    ground.rabbitmq.start()


@contextmanager
def _full(ground: Ground) -> Iterator[None]:
    """Let the queue refuse what goes beyond one message; nobody takes any."""
    host = VirtualHost(ground)
    host.limit_queue(1)
    yield
    host.unlimit_queue()


@contextmanager
def _alarmed(ground: Ground) -> Iterator[None]:
    """Let RabbitMQ think that it has no memory left: it blocks whoever publishes."""
    ground.rabbitmq.control("set_vm_memory_high_watermark", NO_MEMORY)
    try:
        yield
    finally:
        ground.rabbitmq.control("set_vm_memory_high_watermark", str(MEMORY_SHARE))


@contextmanager
def _unroutable(ground: Ground) -> Iterator[None]:
    """Unbind the queue: whoever notices declares and binds it again."""
    VirtualHost(ground).unbind_queue()
    yield


def _suffer(ground: Ground, wanted: list[Wanted], trouble: Trouble, seconds: float) -> tuple[list[Accepted], Suffered]:
    """Accept imports in the trouble, and look how many messages it holds back and how soon they go afterwards."""
    with trouble(), ThreadPoolExecutor(AT_ONCE) as pool:
        began, held = time.monotonic(), 0
        accepting = pool.map(ground.accept, wanted)
        while time.monotonic() < began + seconds:
            held = max(held, _backlog(ground))
            time.sleep(LOOK_SECONDS)
        accepted = list(accepting)
    returned = time.monotonic()
    return accepted, Suffered(held_back=held, seconds=round(_await_backlog(ground) - returned, 3))


def _backlog(ground: Ground) -> int:
    return int(ground.sql("SELECT count(*) FROM outbox WHERE published_at IS NULL AND due_at <= now()"))


def _await_backlog(ground: Ground) -> float:
    """Return the moment when nothing waits to be published, or twice as much time has passed as it may take."""
    limit = time.monotonic() + 2 * BACKLOG_SECONDS
    while time.monotonic() < limit:
        if _backlog(ground) == 0:
            break
        time.sleep(LOOK_SECONDS)
    return time.monotonic()
