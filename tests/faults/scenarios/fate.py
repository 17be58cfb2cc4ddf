"""Every process is killed, stopped and restarted while imports are requested and carried out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from deploy.local.stack import Server
from tests.faults.bench.disruptions import Disruptor, Exposure, Kind, plan_disruptions
from tests.faults.bench.imports import Accepted, PushedImage
from tests.faults.bench.size import Size
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.totals import count_totals
from tests.faults.bench.verdict import Verdict, latencies
from tests.faults.fault import Delay, Direction

PROMISE = "An accepted import ends in exactly one final state; ready means that the target serves that digest."

# The delay of the source's responses, so that imports are always running when a process dies. Seconds.
SOURCE_DELAY = 0.15
APIS, WORKERS = 2, 3
# Concurrent clients; each requests one import after another.
CLIENTS = 12
# The time for all imports after the last disruption: a few leases, retries and repeated messages. Seconds.
TIMEOUT = 180.0
SERVICE = Exposure(kinds=(Kind.KILL, Kind.STOP), share=4)
POSTGRES = Exposure(kinds=(Kind.KILL, Kind.STOP, Kind.IMMEDIATE), share=3)
RABBITMQ = Exposure(kinds=(Kind.KILL, Kind.STOP))


def play(testbed: Testbed) -> Verdict:
    """Request imports during the disruptions, and check each import afterwards."""
    imports, number, seconds = testbed.size.of(full=(600, 110, 300.0), short=(24, 6, 4.0))
    link = testbed.link("source", testbed.source.port)
    link.set(Delay(direction=Direction.TO_CLIENT, seconds=SOURCE_DELAY))
    testbed.start(apis=APIS, workers=WORKERS)
    pushed = testbed.push(imports, host=link.host)
    victims, exposures = _victims(testbed)
    with Disruptor(plan_disruptions(testbed.rng, exposures, number=number, seconds=seconds), victims) as disruptor:
        accepted = _ask(testbed, pushed, seconds)
        disruptor.wait_done()
    outcomes = testbed.wait_final(TIMEOUT)
    totals = count_totals(testbed, accepted, outcomes)
    return Verdict(
        # No fault affected source or target, so no import may fail.
        held=totals.all_ready and len(disruptor.injected) == number,
        figures={
            **totals.figures(),
            "disruptions": len(disruptor.injected),
            "blows_on": dict(
                Counter(f"{disruption.victim.partition('-')[0]} {disruption.kind}" for disruption in disruptor.injected)
            ),
            "begun_again": sum(outcome.attempt > 1 for outcome in outcomes),
            "asked_again": sum(one.tries for one in accepted),
            **latencies("seconds_to_end", [outcome.seconds for outcome in outcomes if outcome.seconds is not None]),
        },
    )


def _victims(testbed: Testbed) -> tuple[Mapping[str, Server], Mapping[str, Exposure]]:
    victims: dict[str, Server] = {"postgres": testbed.postgres, "rabbitmq": testbed.rabbitmq}
    victims |= {f"api-{number}": api for number, api in enumerate(testbed.apis)}
    victims |= {f"worker-{number}": worker for number, worker in enumerate(testbed.workers)}
    exposures = dict.fromkeys(victims, SERVICE) | {"postgres": POSTGRES, "rabbitmq": RABBITMQ}
    if testbed.size is Size.SHORT:
        # RabbitMQ's restart takes longer than everything else in the short form.
        del victims["rabbitmq"], exposures["rabbitmq"]
    return victims, exposures


def _ask(testbed: Testbed, pushed: Sequence[PushedImage], seconds: float) -> list[Accepted]:
    """Request all imports, spread over `seconds`."""
    began = time.monotonic()
    times = sorted(testbed.rng.uniform(0, seconds) for _ in pushed)

    def ask(one: PushedImage, at: float) -> Accepted:
        time.sleep(max(0.0, began + at - time.monotonic()))
        return testbed.accept(one)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(ask, pushed, times))
