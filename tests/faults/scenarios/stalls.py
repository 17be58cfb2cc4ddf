"""Layers whose way freezes, drips, or brings no last answer, on either side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import uvloop

from deploy.local.stack import Remote
from import_worker.copying.stall import STALL_SECONDS
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.copying import LAYER, MIB, MIDDLE, REPOSITORY, Copying, impatient, stalls

PROMISE = "Stalls end: they are found within their limit and a tenth of it, whichever side they are on."

# Above what a look takes (CHECK_SECONDS in copying/stall.py) by so much that it is a part of the tenth. Seconds.
SHORT_LIMIT = 6.0
TOLERANCE = 1.1
# Where in the layer a stall may begin: sockets and links hold some megabytes. Bytes.
EARLIEST = 16 * MIB


@dataclass(frozen=True, kw_only=True)
class Found:
    """A stall that was made; `share` is the time until it was found, as a part of the limit."""

    name: str
    limit: float
    share: float
    right_side: bool

    @property
    def good(self) -> bool:
        return self.right_side and self.share <= TOLERANCE


def play(ground: Ground) -> Verdict:
    """Stall each way; in the full form from several bytes on, and with the limit as it is in production."""
    limits = ground.size.of(full=(STALL_SECONDS, SHORT_LIMIT, SHORT_LIMIT), short=(SHORT_LIMIT,))
    names = ground.size.of(full=tuple(stalls(0)), short=("source drips", "target frozen"))
    Remote.of(ground.source).push_blob(REPOSITORY, LAYER)
    found = [one for limit in limits for one in _stall_all(ground, limit, names)]
    return Verdict(
        held=all(one.good for one in found),
        figures={
            "stalls": len(found),
            "found_in_time": sum(one.good for one in found),
            "worst_share_of_limit": max(one.share for one in found),
            "found": [asdict(one) for one in found],
        },
    )


def _stall_all(ground: Ground, limit: float, names: Sequence[str]) -> Sequence[Found]:
    """Make all of these stalls at once, each on links of its own."""
    after = ground.rng.randrange(EARLIEST, MIDDLE)
    copies = {name: _copying(ground, f"{name.replace(' ', '-')}-{limit:.0f}-{after}") for name in names}

    async def make(name: str, copying: Copying) -> Found:
        side, fault = stalls(after)[name]
        stall = await copying.stall(side, fault)
        right = stall.code == f"{side}_stalled"
        return Found(name=name, limit=limit, share=round(stall.seconds / limit, 3), right_side=right)

    async def make_all() -> Sequence[Found]:
        return await asyncio.gather(*(make(name, copying) for name, copying in copies.items()))

    with impatient(limit), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(make_all())


def _copying(ground: Ground, label: str) -> Copying:
    from_source = ground.link(f"source-{label}", ground.source.port)
    to_target = ground.link(f"target-{label}", ground.target.port)
    return Copying(from_source, to_target, f"stalls/{label}")
