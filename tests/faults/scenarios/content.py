"""A source that lies, corrupted connections, and workers killed at each step, while a tag has an older image."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from shared.model.states import ImportState
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.content.corruption import corrupt
from tests.faults.content.kills import kill
from tests.faults.content.lies import LIES
from tests.faults.content.lying import lie
from tests.faults.copy_steps import STEPS
from tests.faults.relay import Moment

PROMISE = "A tag never points to unverified or partial content."

# The critical step is the write of the tag.
SHORT_KILLS = [("tag written", Moment.BEFORE)]
# One lie of each kind; the full form uses all.
SHORT_LIES = ["small layer: a bit flipped", "large layer: last bit flipped", "index: another manifest"]


def play(testbed: Testbed) -> Verdict:
    """Let the source lie, then corrupt both directions, then kill the worker at each step."""
    steps = testbed.size.of(full=[(step, moment) for step in STEPS for moment in Moment], short=SHORT_KILLS)
    lied = lie(testbed, testbed.size.of(full=sorted(LIES), short=SHORT_LIES))
    corrupted = corrupt(testbed, number=testbed.size.of(full=40, short=2), faults=testbed.size.of(full=30, short=3))
    kills = kill(testbed, testbed.rng.sample(steps, len(steps)))
    harmless = [one.name for one in lied if one.state is ImportState.READY]
    tags_wrong = sum(one.wrong for one in lied) + corrupted.wrong + sum(not one.sound for one in kills)
    return Verdict(
        held=not tags_wrong and len(harmless) < len(lied) and corrupted.affected > 0 and all(one.good for one in kills),
        figures={
            "tags_wrong": tags_wrong,
            "lies": len(lied),
            "detected": len(lied) - len(harmless),
            "harmless": harmless,
            "codes": dict(Counter(one.code for one in lied if one.code)),
            "corrupted_ways": asdict(corrupted),
            "kills": sum(one.triggered for one in kills),
            "steps": len({one.step for one in kills}),
            "tags_after_kills": dict(Counter(one.tag for one in kills)),
            "imports_ended_after_kills": sum(one.ready for one in kills),
            "not_good": [f"{one.moment} {one.step}" for one in kills if not one.good],
        },
    )
