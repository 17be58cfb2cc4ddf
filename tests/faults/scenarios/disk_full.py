"""A target whose disk is full: a part of what is to go there fits, or nothing; and then there is room again."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from deploy.local.stack import LocalStackError, Registry, Remote
from shared.errors.codes import Code, Side
from shared.errors.kinds import ERROR_KINDS
from shared.model.states import ImportState
from tests.faults.bench.ground import Ground
from tests.faults.bench.verdict import Verdict
from tests.faults.bench.wanted import Accepted, Outcome
from tests.faults.tags import is_sound

PROMISE = "A target without room costs no image: imports fail with the target's code or wait, and no tag is wrong."

MIB = 1024 * 1024
LAYER = 1_500_000
# Bytes of the target's disk: for two layers and something; for hardly anything; for all.
LITTLE, NOTHING, PLENTY = 4 * MIB, 64 * 1024, 256 * MIB
ATTEMPTS = "2"
PATIENCE = 240.0


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What came of imports into so much room, in bytes: `wrong` are tags that lead to what is not whole."""

    room: int
    states: dict[str, int]
    codes: dict[str, int]
    wrong: int

    @property
    def good(self) -> bool:
        """Whether something did not fit, was said to be the target's fault, and nothing is wrong."""
        blamed = all(ERROR_KINDS[Code(code)].side is Side.TARGET for code in self.codes)
        return bool(self.codes) and blamed and not self.wrong


def play(ground: Ground) -> Verdict:
    """Import into a target that fills up, into one that is full, and into one that gets room while imports wait."""
    number = ground.size.of(full=12, short=4)
    with _small_target(ground) as target:
        ground.start(TARGET_URL=target.url, TARGET_NAME=target.host, MAX_FAILURES=ATTEMPTS)
        filled = [_fill(ground, target, room, number) for room in (LITTLE, NOTHING)]
        waiting, ready = _wait_for_room(ground, target, number)
    return Verdict(
        held=all(one.good for one in filled) and waiting > 0 and ready == number,
        figures={
            "filled": [asdict(one) for one in filled],
            "tags_wrong": sum(one.wrong for one in filled),
            "waited_for_room": waiting,
            "ready_with_room": ready,
        },
    )


@contextmanager
def _small_target(ground: Ground) -> Iterator[Registry]:
    """Start a registry whose disk is a file system in memory, of which root alone can say how large it is."""
    target = Registry(ground.scratch, name=f"small-target-{ground.database}")
    target.prepare_once()
    _mount(target, "-t", "tmpfs", "-o", f"size={PLENTY}", "tmpfs")
    try:
        ground.allow(target.host)
        with target:
            yield target
    finally:
        subprocess.run(["umount", "--lazy", target.root], check=True)


def _mount(target: Registry, *arguments: str) -> None:
    done = subprocess.run(["mount", *arguments, target.root], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalStackError(f"mount: {done.stderr.strip()}")


def _give_room(target: Registry, room: int) -> None:
    """Let the disk have so many bytes more than are taken."""
    taken = sum(file.stat().st_blocks * 512 for file in target.root.rglob("*") if file.is_file())
    _mount(target, "-o", f"remount,size={taken + room}")


def _fill(ground: Ground, target: Registry, room: int, number: int) -> Filled:
    """Import as much as does not fit, until all have ended."""
    _give_room(target, room)
    accepted = ground.accept_all(ground.push(number, layers=[LAYER]))
    ends = _of(ground.wait_final(PATIENCE), accepted)
    failed = [end for end in ends if end.state is not ImportState.READY]
    return Filled(
        room=room,
        states=dict(Counter(end.state.value for end in ends)),
        codes=dict(Counter(end.code or "" for end in failed)),
        wrong=sum(not is_sound(Remote.of(target), end) for end in ends),
    )


def _wait_for_room(ground: Ground, target: Registry, number: int) -> tuple[int, int]:
    """Return how many imports waited while the disk was full, and how many are ready when it no longer is."""
    _give_room(target, 0)
    accepted = ground.accept_all(ground.push(number, layers=[LAYER]))
    ground.wait_until(lambda: _waiting(ground) > 0, PATIENCE)
    waiting = _waiting(ground)
    _give_room(target, PLENTY)
    ends = _of(ground.wait_final(PATIENCE), accepted)
    return waiting, sum(end.state is ImportState.READY and is_sound(Remote.of(target), end) for end in ends)


def _waiting(ground: Ground) -> int:
    return int(ground.sql("SELECT count(*) FROM imports WHERE state = 'waiting'"))


def _of(outcomes: Sequence[Outcome], accepted: Sequence[Accepted]) -> list[Outcome]:
    names = {one.name for one in accepted}
    return [outcome for outcome in outcomes if outcome.name in names]
