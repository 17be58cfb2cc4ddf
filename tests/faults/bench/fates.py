"""What became of the imports that were accepted, counted the same way by every scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from shared.model.states import ImportState
from tests.faults.bench.ground import AT_ONCE, Ground
from tests.faults.bench.wanted import Accepted, Outcome


@dataclass(frozen=True, kw_only=True)
class Fates:
    """`lost` were accepted and are not known, `stuck` are open, `wrong` are ready and not served by that digest.

    `ended_again` have come to a final state more than once. `codes` are of those that did not become ready.
    """

    accepted: int
    lost: int
    stuck: int
    wrong: int
    ended_again: int
    states: Mapping[str, int]
    codes: Mapping[str, int]

    @property
    def good(self) -> bool:
        """Whether each has one end, and ready is true."""
        return self.accepted > 0 and not (self.lost or self.stuck or self.wrong or self.ended_again)

    @property
    def all_ready(self) -> bool:
        """Whether, beside that, none has failed."""
        return self.good and set(self.states) == {ImportState.READY}

    def figures(self) -> Mapping[str, object]:
        """Return them as JSON."""
        counts = {name: getattr(self, name) for name in ("accepted", "lost", "stuck", "wrong", "ended_again")}
        return counts | {"states": dict(self.states)} | ({"codes": dict(self.codes)} if self.codes else {})


def count_fates(ground: Ground, accepted: Sequence[Accepted], outcomes: Sequence[Outcome]) -> Fates:
    """Look at each import, and in the target for those that are ready."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    found = [(one, by_name[one.name]) for one in accepted if one.name in by_name]
    ready = [(end, one.wanted.digest) for one, end in found if end.state is ImportState.READY]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        served = list(pool.map(ground.serves, *zip(*ready, strict=True))) if ready else []
    return Fates(
        accepted=len(accepted),
        lost=len(accepted) - len(found),
        stuck=sum(not outcome.final for outcome in outcomes),
        wrong=served.count(False),
        ended_again=sum(outcome.ends != 1 for outcome in outcomes if outcome.final),
        states=Counter(outcome.state.value for outcome in outcomes),
        codes=Counter(outcome.code for outcome in outcomes if outcome.code),
    )
