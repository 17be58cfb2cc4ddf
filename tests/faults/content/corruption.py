"""Imports over connections that corrupt single bytes, from the source and to the target."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.local.stack import Remote
from shared.model.states import ImportState
from tests.faults.bench.testbed import Testbed
from tests.faults.fault import Corrupt, Direction
from tests.faults.tag_content import is_consistent

TIMEOUT = 180.0
# The worker reads the first layer as a whole and streams the second. Bytes.
LAYERS = (20_000, 1_500_000)
# The corrupted byte is one of these first bytes of a connection, which are headers and layers.
WITHIN = 1_400_000


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """`affected` connections had a corrupted byte; `wrong` imports have a tag with incomplete content."""

    affected: int
    imports: int
    ready: int
    wrong: int


def corrupt(testbed: Testbed, *, number: int, faults: int) -> Corrupted:
    """Import this number of images while one byte is corrupted on `faults` connections of each side."""
    links = {
        Direction.TO_CLIENT: testbed.link("source", testbed.source.port),
        Direction.TO_SERVER: testbed.link("target", testbed.target.port),
    }
    testbed.add_api()
    testbed.add_worker(TARGET_URL=f"http://{links[Direction.TO_SERVER].host}")
    pushed = testbed.push(number, layers=LAYERS, host=links[Direction.TO_CLIENT].host)
    for direction, link in links.items():
        link.set(*(Corrupt(direction=direction, after=testbed.rng.randrange(WITHIN), times=1) for _ in range(faults)))
    names = {accepted.name for accepted in testbed.accept_all(pushed)}
    outcomes = [outcome for outcome in testbed.wait_final(TIMEOUT) if outcome.name in names]
    testbed.stop_services()
    affected = sum(sum(link.counts().affected) for link in links.values())
    ready = [outcome for outcome in outcomes if outcome.state is ImportState.READY]
    return Corrupted(
        affected=affected,
        imports=len(outcomes),
        ready=len(ready),
        wrong=sum(not is_consistent(Remote.of(testbed.target), outcome) for outcome in outcomes),
    )
