"""Imports over ways that corrupt a byte now and then, from the source and to the target."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.local.stack import Remote
from shared.model.states import ImportState
from tests.faults.bench.ground import Ground
from tests.faults.content.cast import dismiss
from tests.faults.fault import Corrupt, Direction
from tests.faults.tags import is_sound

PATIENCE = 180.0
# Read and put as a whole; streamed. Bytes.
LAYERS = (20_000, 1_500_000)
# A connection's bytes among which one is corrupted: heads, and the layers behind them.
WITHIN = 1_400_000


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """`affected` connections had a byte corrupted; `wrong` are imports whose tag leads to what is not whole."""

    affected: int
    imports: int
    ready: int
    wrong: int


def corrupt(ground: Ground, *, number: int, faults: int) -> Corrupted:
    """Import so many images while so many connections on either side have one byte corrupted."""
    links = {
        Direction.TO_CLIENT: ground.link("source", ground.source.port),
        Direction.TO_SERVER: ground.link("target", ground.target.port),
    }
    ground.add_api()
    ground.add_worker(TARGET_URL=f"http://{links[Direction.TO_SERVER].host}")
    wanted = ground.push(number, layers=LAYERS, host=links[Direction.TO_CLIENT].host)
    for direction, link in links.items():
        link.set(*(Corrupt(direction=direction, after=ground.rng.randrange(WITHIN), times=1) for _ in range(faults)))
    names = {accepted.name for accepted in ground.accept_all(wanted)}
    outcomes = [outcome for outcome in ground.wait_final(PATIENCE) if outcome.name in names]
    dismiss(ground)
    affected = sum(sum(link.counts().affected) for link in links.values())
    ready = [outcome for outcome in outcomes if outcome.state is ImportState.READY]
    return Corrupted(
        affected=affected,
        imports=len(outcomes),
        ready=len(ready),
        wrong=sum(not is_sound(Remote.of(ground.target), outcome) for outcome in outcomes),
    )
