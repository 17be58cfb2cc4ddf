"""Transfers that freeze, drip, or get no final response, on either side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import uvloop

from deploy.local.stack import Remote
from import_worker.copying.stall import STALL_SECONDS
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.stalled_copy import LAYER, MIB, MIDDLE, REPOSITORY, StalledCopy, stall_limit, stalls

PROMISE = "Stalls end: they are found within their limit and a tenth of it, whichever side they are on."

# Long enough that the interval of checks (CHECK_SECONDS in copying/stall.py) is within the tenth. Seconds.
SHORT_LIMIT = 6.0
TOLERANCE = 1.1
# The first byte at which a stall may begin: sockets and links buffer some megabytes. Bytes.
EARLIEST = 16 * MIB


@dataclass(frozen=True, kw_only=True)
class Found:
    """An injected stall; `share` is the time of its detection divided by the limit."""

    name: str
    limit: float
    share: float
    right_side: bool

    @property
    def good(self) -> bool:
        return self.right_side and self.share <= TOLERANCE


def play(testbed: Testbed) -> Verdict:
    """Inject all stalls; the full form uses several bytes, and also the limit of production."""
    limits = testbed.size.of(full=(STALL_SECONDS, SHORT_LIMIT, SHORT_LIMIT), short=(SHORT_LIMIT,))
    names = testbed.size.of(full=tuple(stalls(0)), short=("source drips", "target frozen"))
    Remote.of(testbed.source).push_blob(REPOSITORY, LAYER)
    found = [one for limit in limits for one in _stall_all(testbed, limit, names)]
    return Verdict(
        held=all(one.good for one in found),
        figures={
            "stalls": len(found),
            "found_in_time": sum(one.good for one in found),
            "worst_share_of_limit": max(one.share for one in found),
            "found": [asdict(one) for one in found],
        },
    )


def _stall_all(testbed: Testbed, limit: float, names: Sequence[str]) -> Sequence[Found]:
    """Inject all these stalls at once, each on its own links."""
    after = testbed.rng.randrange(EARLIEST, MIDDLE)
    copies = {name: _copying(testbed, f"{name.replace(' ', '-')}-{limit:.0f}-{after}") for name in names}

    async def make(name: str, copying: StalledCopy) -> Found:
        side, fault = stalls(after)[name]
        stall = await copying.stall(side, fault)
        right = stall.code == f"{side}_stalled"
        return Found(name=name, limit=limit, share=round(stall.seconds / limit, 3), right_side=right)

    async def make_all() -> Sequence[Found]:
        return await asyncio.gather(*(make(name, copying) for name, copying in copies.items()))

    with stall_limit(limit), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(make_all())


def _copying(testbed: Testbed, label: str) -> StalledCopy:
    from_source = testbed.link(f"source-{label}", testbed.source.port)
    to_target = testbed.link(f"target-{label}", testbed.target.port)
    return StalledCopy(from_source, to_target, f"stalls/{label}")
