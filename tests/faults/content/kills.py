"""Workers that are killed at a step of a copy, while the tag has an older image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.bench.ground import Ground
from tests.faults.bench.wanted import Accepted
from tests.faults.relay import Moment
from tests.faults.steps import Stage, staged

# An import, its take-over and its end on a busy machine. Seconds.
PATIENCE = 60.0
OLD, NEW, OTHER = "old", "new", "other"


@dataclass(frozen=True, kw_only=True)
class Kill:
    """What a kill led to: which image the tag had right after it, whether that was whole, and whether the import ended.

    `tag` is old, new or other.
    """

    step: str
    moment: Moment
    triggered: bool
    tag: str
    whole: bool
    ready: bool

    @property
    def sound(self) -> bool:
        return self.tag != OTHER and self.whole

    @property
    def good(self) -> bool:
        return self.triggered and self.sound and self.ready


def kill(ground: Ground, chosen: Sequence[tuple[str, Moment]]) -> list[Kill]:
    """Kill a worker at each of these steps; another one takes over, and a new one comes."""
    with staged(ground) as stage:
        stage.add_worker()
        return [_kill_at(stage, step, moment) for step, moment in chosen]


def _kill_at(stage: Stage, step: str, moment: Moment) -> Kill:
    repository = f"kills/{step.replace(' ', '-')}-{moment}"
    older = stage.ground.accept(stage.push(repository))
    stage.wait_state(older, "ready", PATIENCE)
    accepted: list[Accepted] = []

    def strike() -> None:
        stage.wait(lambda: bool(accepted))
        stage.holder(accepted[0]).kill()

    trap = stage.trap(step, moment, strike)
    newer = stage.push(repository)
    accepted.append(stage.ground.accept(newer, force=True))
    triggered = trap.sprung.wait(PATIENCE)
    found, whole = stage.tag(accepted[0]), stage.whole(accepted[0])
    stage.add_worker()
    ready = stage.wait_state(accepted[0], "ready", PATIENCE)
    ready = ready and stage.tag(accepted[0]) == newer.digest and stage.whole(accepted[0])
    names = {older.wanted.digest: OLD, newer.digest: NEW}
    return Kill(
        step=step, moment=moment, triggered=triggered, tag=names.get(found or "", OTHER), whole=whole, ready=ready
    )
