"""A source that lies, ways that corrupt bytes, and workers killed at each step, while a tag has an older image."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from shared.model.states import ImportState
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.content.kills import kill
from tests.faults.content.lies import LIES
from tests.faults.content.lying import lie
from tests.faults.content.ways import corrupt
from tests.faults.relay import Moment
from tests.faults.steps import STEPS

PROMISE = "A tag never points to unverified or partial content."

# Right around the tag, where it matters most.
SHORT_KILLS = [("tag written", Moment.BEFORE)]
# One of each kind; the full form tells them all.
SHORT_LIES = ["small layer: a bit flipped", "large layer: last bit flipped", "index: another manifest"]


def play(ground: Ground) -> Verdict:
    """Let the source lie, then corrupt both ways, then kill the worker at each step."""
    steps = ground.size.of(full=[(step, moment) for step in STEPS for moment in Moment], short=SHORT_KILLS)
    lied = lie(ground, ground.size.of(full=sorted(LIES), short=SHORT_LIES))
    corrupted = corrupt(ground, number=ground.size.of(full=40, short=2), faults=ground.size.of(full=30, short=3))
    kills = kill(ground, ground.rng.sample(steps, len(steps)))
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
