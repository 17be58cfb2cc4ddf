"""Everything is killed, stopped and started again while imports are asked for and carried out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from deploy.local.stack import Server
from shared.imports import ImportState
from tests.faults.bench.figures import latencies
from tests.faults.bench.ground import Ground
from tests.faults.bench.storm import Kind, Prey, Storm, make_blows
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Outcome, Wanted
from tests.faults.fault import Delay, Way

PROMISE = "An accepted import ends in exactly one final state; ready means that the target serves that digest."

# The way to the source is so slow, that imports are always under way when something dies. Seconds for each answer.
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
    imports = ground.size.of(full=600, short=30)
    number, seconds = ground.size.of(full=(110, 300.0), short=(9, 10.0))
    link = ground.link("source", ground.source.port)
    link.set(Delay(way=Way.TO_CLIENT, seconds=SOURCE_DELAY))
    ground.start(apis=APIS, workers=WORKERS)
    wanted = ground.push(imports, host=link.host)
    victims, prey = _victims(ground)
    with Storm(make_blows(ground.rng, prey, number=number, seconds=seconds), victims) as storm:
        accepted = _ask(ground, wanted, seconds)
        storm.calm()
    outcomes = ground.wait_final(PATIENCE)
    return _judge(ground, accepted, outcomes, storm)


def _victims(ground: Ground) -> tuple[Mapping[str, Server], Mapping[str, Prey]]:
    victims: dict[str, Server] = {"postgres": ground.postgres, "rabbitmq": ground.rabbitmq}
    victims |= {f"api-{number}": api for number, api in enumerate(ground.apis)}
    victims |= {f"worker-{number}": worker for number, worker in enumerate(ground.workers)}
    prey = dict.fromkeys(victims, SERVICE) | {"postgres": POSTGRES, "rabbitmq": RABBITMQ}
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


def _judge(ground: Ground, accepted: Sequence[Accepted], outcomes: Sequence[Outcome], storm: Storm) -> Verdict:
    found = {outcome.name: outcome for outcome in outcomes}
    lost = [one for one in accepted if one.name not in found]
    known = [(one, found[one.name]) for one in accepted if one.name in found]
    wrong = [one for one, end in known if end.state is ImportState.READY and not ground.serves(end, one.wanted.digest)]
    ends = Counter(outcome.ends for outcome in outcomes if outcome.final)
    states = Counter(outcome.state.value for outcome in outcomes)
    stuck = sum(not outcome.final for outcome in outcomes)
    # Neither source nor target was harmed, so that none has a reason to fail.
    good = not lost and not wrong and not stuck and set(ends) == {1} and set(states) == {ImportState.READY}
    return Verdict(
        held=good and len(storm.struck) >= 1,
        figures={
            "accepted": len(accepted),
            "lost": len(lost),
            "stuck": stuck,
            "wrong": len(wrong),
            "ended_twice": sum(number for times, number in ends.items() if times != 1),
            "states": dict(states),
            "codes": dict(Counter(outcome.code for outcome in outcomes if outcome.code)),
            "blows": dict(Counter(f"{blow.victim.partition('-')[0]} {blow.kind}" for blow in storm.struck)),
            "blows_total": len(storm.struck),
            "begun_again": sum(outcome.attempt > 1 for outcome in outcomes),
            "asked_again": sum(one.tries for one in accepted),
            **latencies("seconds_to_end", [outcome.seconds for outcome in outcomes if outcome.seconds is not None]),
        },
    )
