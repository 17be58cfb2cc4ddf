"""Workers that are killed at a step of a copy while the tag has an older image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.bench.imports import Accepted
from tests.faults.bench.testbed import Testbed
from tests.faults.copy_steps import Stage, open_stage
from tests.faults.relay import Moment

# Seconds for an import with a take-over, on a busy machine.
TIMEOUT = 60.0
OLD, NEW, OTHER = "old", "new", "other"


@dataclass(frozen=True, kw_only=True)
class Kill:
    """The effects of a kill: the tag's image right after it, whether that was complete, and whether the import ended.

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


def kill(testbed: Testbed, chosen: Sequence[tuple[str, Moment]]) -> list[Kill]:
    """Kill a worker at each of these steps; another worker takes over, and a new one is started."""
    with open_stage(testbed) as stage:
        stage.add_worker()
        return [_kill_at(stage, step, moment) for step, moment in chosen]


def _kill_at(stage: Stage, step: str, moment: Moment) -> Kill:
    repository = f"kills/{step.replace(' ', '-')}-{moment}"
    older = stage.testbed.accept(stage.push(repository))
    stage.wait_state(older, "ready", TIMEOUT)
    accepted: list[Accepted] = []

    def kill_holder() -> None:
        stage.wait(lambda: bool(accepted))
        stage.holder(accepted[0]).kill()

    trap = stage.trap(step, moment, kill_holder)
    newer = stage.push(repository)
    accepted.append(stage.testbed.accept(newer, force=True))
    triggered = trap.fired.wait(TIMEOUT)
    found, whole = stage.tag(accepted[0]), stage.whole(accepted[0])
    stage.add_worker()
    ready = stage.wait_state(accepted[0], "ready", TIMEOUT)
    ready = ready and stage.tag(accepted[0]) == newer.digest and stage.whole(accepted[0])
    names = {older.pushed.digest: OLD, newer.digest: NEW}
    return Kill(
        step=step, moment=moment, triggered=triggered, tag=names.get(found or "", OTHER), whole=whole, ready=ready
    )
