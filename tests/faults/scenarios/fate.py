"""Everything is killed, stopped and started again while imports are asked for and carried out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from deploy.local.stack import Server
from tests.faults.bench.fates import count_fates
from tests.faults.bench.figures import latencies
from tests.faults.bench.ground import Ground
from tests.faults.bench.size import Size
from tests.faults.bench.storm import Kind, Prey, Storm, make_blows
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Wanted
from tests.faults.fault import Delay, Direction

PROMISE = "An accepted import ends in exactly one final state; ready means that the target serves that digest."

# Each answer of the source comes so late that imports are always under way when something dies. Seconds.
SOURCE_DELAY = 0.15
APIS, WORKERS = 2, 3
# Clients that ask at the same time, each for one import after the other.
CLIENTS = 12
# After the last blow an import has to come to its end within so long: a few leases, retries and messages sent again.
# Seconds.
PATIENCE = 180.0
SERVICE = Prey(kinds=(Kind.KILL, Kind.STOP), share=4)
POSTGRES = Prey(kinds=(Kind.KILL, Kind.STOP, Kind.IMMEDIATE), share=3)
RABBITMQ = Prey(kinds=(Kind.KILL, Kind.STOP))


def play(ground: Ground) -> Verdict:
    """Ask for imports while the storm goes on, and look at each when it is over."""
    imports, number, seconds = ground.size.of(full=(600, 110, 300.0), short=(24, 6, 4.0))
    link = ground.link("source", ground.source.port)
    link.set(Delay(direction=Direction.TO_CLIENT, seconds=SOURCE_DELAY))
    ground.start(apis=APIS, workers=WORKERS)
    wanted = ground.push(imports, host=link.host)
    victims, prey = _victims(ground)
    with Storm(make_blows(ground.rng, prey, number=number, seconds=seconds), victims) as storm:
        accepted = _ask(ground, wanted, seconds)
        storm.calm()
    outcomes = ground.wait_final(PATIENCE)
    fates = count_fates(ground, accepted, outcomes)
    return Verdict(
        # Neither source nor target was harmed, so that no import has a reason to fail.
        held=fates.all_ready and len(storm.injected) == number,
        figures={
            **fates.figures(),
            "blows": len(storm.injected),
            "blows_on": dict(Counter(f"{blow.victim.partition('-')[0]} {blow.kind}" for blow in storm.injected)),
            "begun_again": sum(outcome.attempt > 1 for outcome in outcomes),
            "asked_again": sum(one.tries for one in accepted),
            **latencies("seconds_to_end", [outcome.seconds for outcome in outcomes if outcome.seconds is not None]),
        },
    )


def _victims(ground: Ground) -> tuple[Mapping[str, Server], Mapping[str, Prey]]:
    victims: dict[str, Server] = {"postgres": ground.postgres, "rabbitmq": ground.rabbitmq}
    victims |= {f"api-{number}": api for number, api in enumerate(ground.apis)}
    victims |= {f"worker-{number}": worker for number, worker in enumerate(ground.workers)}
    prey = dict.fromkeys(victims, SERVICE) | {"postgres": POSTGRES, "rabbitmq": RABBITMQ}
    if ground.size is Size.SHORT:
        # It takes longer to come back than all else in the short form.
        del victims["rabbitmq"], prey["rabbitmq"]
    return victims, prey


def _ask(ground: Ground, wanted: Sequence[Wanted], seconds: float) -> list[Accepted]:
    """Ask for all, spread over so long."""
    began = time.monotonic()
    times = sorted(ground.rng.uniform(0, seconds) for _ in wanted)

    def ask(one: Wanted, at: float) -> Accepted:
        time.sleep(max(0.0, began + at - time.monotonic()))
        return ground.accept(one)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(ask, wanted, times))
