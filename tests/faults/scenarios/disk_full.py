"""A target whose disk has space for a part of the content, for nothing, and later for everything."""

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
from tests.faults.bench.imports import Accepted, Outcome
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.tag_content import is_consistent

PROMISE = "A target without room costs no image: imports fail with the target's code or wait, and no tag is wrong."

MIB = 1024 * 1024
LAYER = 1_500_000
# Bytes of free disk space: for two layers, for hardly anything, for everything.
LITTLE, NOTHING, PLENTY = 4 * MIB, 64 * 1024, 256 * MIB
ATTEMPTS = "2"
TIMEOUT = 240.0


@dataclass(frozen=True, kw_only=True)
class FillOutcome:
    """The outcomes of imports with `room` bytes of free space: `wrong` are tags with incomplete content."""

    room: int
    states: dict[str, int]
    codes: dict[str, int]
    wrong: int

    @property
    def good(self) -> bool:
        """Whether some imports did not fit, their errors name the target, and no tag is wrong."""
        blamed = all(ERROR_KINDS[Code(code)].side is Side.TARGET for code in self.codes)
        return bool(self.codes) and blamed and not self.wrong


def play(testbed: Testbed) -> Verdict:
    """Import to a target that fills up, to one that is full, and to one that gets space while imports wait."""
    number = testbed.size.of(full=12, short=4)
    with _small_target(testbed) as target:
        testbed.start(TARGET_URL=target.url, TARGET_NAME=target.host, MAX_FAILURES=ATTEMPTS)
        filled = [_fill(testbed, target, room, number) for room in (LITTLE, NOTHING)]
        waiting, ready = _wait_for_room(testbed, target, number)
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
def _small_target(testbed: Testbed) -> Iterator[Registry]:
    """Start a registry on a file system in memory, whose size root can change."""
    target = Registry(testbed.scratch, name=f"small-target-{testbed.database}")
    target.prepare_once()
    _mount(target, "-t", "tmpfs", "-o", f"size={PLENTY}", "tmpfs")
    try:
        testbed.allow(target.host)
        with target:
            yield target
    finally:
        subprocess.run(["umount", "--lazy", target.root], check=True)


def _mount(target: Registry, *arguments: str) -> None:
    done = subprocess.run(["mount", *arguments, target.root], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalStackError(f"mount: {done.stderr.strip()}")


def _give_room(target: Registry, room: int) -> None:
    """Resize the disk to the used bytes plus `room`."""
    taken = sum(file.stat().st_blocks * 512 for file in target.root.rglob("*") if file.is_file())
    _mount(target, "-o", f"remount,size={taken + room}")


def _fill(testbed: Testbed, target: Registry, room: int, number: int) -> FillOutcome:
    """Import more than fits, until all imports have ended."""
    _give_room(target, room)
    accepted = testbed.accept_all(testbed.push(number, layers=[LAYER]))
    ends = _of(testbed.wait_final(TIMEOUT), accepted)
    failed = [end for end in ends if end.state is not ImportState.READY]
    return FillOutcome(
        room=room,
        states=dict(Counter(end.state.value for end in ends)),
        codes=dict(Counter(end.code or "" for end in failed)),
        wrong=sum(not is_consistent(Remote.of(target), end) for end in ends),
    )


def _wait_for_room(testbed: Testbed, target: Registry, number: int) -> tuple[int, int]:
    """Return the number of imports that waited for the full disk, and that were ready after it got space."""
    _give_room(target, 0)
    accepted = testbed.accept_all(testbed.push(number, layers=[LAYER]))
    testbed.wait_until(lambda: _waiting(testbed) > 0, TIMEOUT)
    waiting = _waiting(testbed)
    _give_room(target, PLENTY)
    ends = _of(testbed.wait_final(TIMEOUT), accepted)
    return waiting, sum(end.state is ImportState.READY and is_consistent(Remote.of(target), end) for end in ends)


def _waiting(testbed: Testbed) -> int:
    return int(testbed.sql("SELECT count(*) FROM imports WHERE state = 'waiting'"))


def _of(outcomes: Sequence[Outcome], accepted: Sequence[Accepted]) -> list[Outcome]:
    names = {one.name for one in accepted}
    return [outcome for outcome in outcomes if outcome.name in names]
