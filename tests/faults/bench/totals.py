"""Totals of the outcomes of accepted imports, counted the same way for every scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from shared.model.states import ImportState
from tests.faults.bench.imports import Accepted, Outcome
from tests.faults.bench.testbed import AT_ONCE, Testbed


@dataclass(frozen=True, kw_only=True)
class Totals:
    """`lost` imports were accepted and are unknown, `stuck` are open, `wrong` are ready but not served.

    `ended_again` have reached a final state more than once. `codes` are the error codes of the others.
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
        """Whether each import has ended once, and every ready image is served."""
        return self.accepted > 0 and not (self.lost or self.stuck or self.wrong or self.ended_again)

    @property
    def all_ready(self) -> bool:
        """Whether `good` holds and every import is ready."""
        return self.good and set(self.states) == {ImportState.READY}

    def figures(self) -> Mapping[str, object]:
        """Return them as JSON."""
        counts = {name: getattr(self, name) for name in ("accepted", "lost", "stuck", "wrong", "ended_again")}
        return counts | {"states": dict(self.states)} | ({"codes": dict(self.codes)} if self.codes else {})


def count_totals(testbed: Testbed, accepted: Sequence[Accepted], outcomes: Sequence[Outcome]) -> Totals:
    """Count the imports, and check the ready ones in the target."""
    by_name = {outcome.name: outcome for outcome in outcomes}
    found = [(one, by_name[one.name]) for one in accepted if one.name in by_name]
    ready = [(end, one.pushed.digest) for one, end in found if end.state is ImportState.READY]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        served = list(pool.map(testbed.serves, *zip(*ready, strict=True))) if ready else []
    return Totals(
        accepted=len(accepted),
        lost=len(accepted) - len(found),
        stuck=sum(not outcome.final for outcome in outcomes),
        wrong=served.count(False),
        ended_again=sum(outcome.ends != 1 for outcome in outcomes if outcome.final),
        states=Counter(outcome.state.value for outcome in outcomes),
        codes=Counter(outcome.code for outcome in outcomes if outcome.code),
    )
