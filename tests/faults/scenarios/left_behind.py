"""Imports are cancelled, deleted, handed over and killed at each step of a transfer; nothing stays in uploads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from deploy.local.servers.registry import DISTRIBUTION_3
from deploy.local.stack import Registry
from tests.faults.bench.disruptions import Kind, disrupt, recover
from tests.faults.bench.imports import Accepted
from tests.faults.bench.testbed import Testbed
from tests.faults.bench.verdict import Verdict
from tests.faults.fault import Direction, Pace
from tests.faults.link import Link

PROMISE = "A minute after an import has ended, been cancelled, deleted or killed, none of its bytes is in uploads."

# The time from the end of an import until its uploads are gone. Seconds.
LIMIT = 60.0
# The rate of the source for each layer, so that each step lasts for seconds. Bytes per second.
PACE = 100_000
# A layer that is streamed, and one that is sent in one request. Bytes.
LAYERS = (1_500_000, 200_000)
# The bytes that each import has in the uploads when it is ended: none to most. `None`: right after its acceptance.
STEPS = (None, 0, 1, 400_000, 1_000_000)
SHORT_STEPS = (200_000,)
# The time until all imports reach a step, and until those that go on have ended. Seconds.
STEP_TIMEOUT, TIMEOUT = 60.0, 120.0


class Way(StrEnum):
    """How an import ends, or loses its worker."""

    CANCEL = "cancel"
    DELETE = "delete"
    STOP = "stop"
    """SIGTERM: its worker hands it back, and it continues."""
    KILL = "kill"
    """SIGKILL, and then it is cancelled."""
    RESTART = "restart"
    """SIGKILL, and it continues."""


# Ends that leave the worker alive, for the target that Harbor is built on. A worker that is killed cannot end its
# requests, and distribution 2 drops no upload whose request was cut (docs/decisions/0049); distribution 3 does.
ALIVE = (Way.CANCEL, Way.DELETE, Way.STOP)
KILLED = (Way.CANCEL, Way.DELETE, Way.KILL, Way.RESTART)
# Their imports end later, by themselves.
CONTINUED = frozenset({Way.STOP, Way.RESTART})


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One import for each way, ended at one step.

    `reached`: each had the step's bytes in uploads. `before` are the bytes of all right before the ends, `seconds` the
    time from the first end until those of the ended ones were gone, and `left` those that remained after all imports
    had ended.
    """

    ways: Sequence[Way]
    reached: bool
    before: int
    seconds: float
    left: int

    @property
    def good(self) -> bool:
        return self.reached and self.seconds <= LIMIT and self.left == 0


def play(testbed: Testbed) -> Verdict:
    """End imports in each way at each step, at a distribution 2 and, where it is built, at a distribution 3."""
    link = testbed.link("source", testbed.source.port)
    turns = _turns(testbed, link, ALIVE)
    reason = DISTRIBUTION_3.why_unavailable(build=testbed.size.of(full=True, short=False))
    if reason is None:
        testbed.stop_services()
        with _distribution_3(testbed):
            turns += _turns(testbed, link, KILLED)
    outcomes = testbed.outcomes()
    return Verdict(
        held=all(turn.good for turn in turns) and turns[-1].before > 0 and all(one.final for one in outcomes),
        figures={
            "turns": len(turns),
            "ended_imports": sum(len(turn.ways) for turn in turns),
            "killed": reason or "yes",
            "bytes_at_the_end": sum(turn.before for turn in turns),
            "bytes_left": sum(turn.left for turn in turns),
            "slowest_cleaning_seconds": round(max(turn.seconds for turn in turns), 1),
            "not_reached": sum(not turn.reached for turn in turns),
            "rows_left": int(testbed.sql("SELECT count(*) FROM target_uploads")),
        },
    )


@contextmanager
def _distribution_3(testbed: Testbed) -> Iterator[None]:
    """Have later services of the testbed use a distribution 3 as their target."""
    usual, usual_url = testbed.target, testbed.target_url
    with Registry(testbed.scratch, name=f"{testbed.database}-target", program=DISTRIBUTION_3.path) as registry:
        testbed.target, testbed.target_url = registry, registry.url
        try:
            yield
        finally:
            testbed.stop_services()
            testbed.target, testbed.target_url = usual, usual_url


def _turns(testbed: Testbed, link: Link, ways: Sequence[Way]) -> list[Turn]:
    testbed.start(apis=1, workers=1, WORKER_SLOTS="8", STOP_GRACE_SECONDS="0")
    steps: Sequence[int | None] = testbed.size.of(full=STEPS, short=SHORT_STEPS)
    return [_turn(testbed, link, step, ways) for step in steps]


def _turn(testbed: Testbed, link: Link, step: int | None, ways: Sequence[Way]) -> Turn:
    """End one import in each way, and let the others end by themselves."""
    link.set(Pace(direction=Direction.TO_CLIENT, rate=PACE))
    accepted = dict(zip(ways, testbed.accept_all(testbed.push(len(ways), layers=LAYERS, host=link.host)), strict=True))
    repositories = {outcome.image_id: outcome.repository for outcome in testbed.outcomes()}
    into = {way: repositories[one.image_id] for way, one in accepted.items()}
    reached = step is None or testbed.wait_until(lambda: _at_step(testbed, into.values(), step), STEP_TIMEOUT)
    before = _bytes(testbed, into.values())
    began = time.monotonic()
    for way, one in accepted.items():
        ENDS[way](testbed, one)
    ended = [repository for way, repository in into.items() if way not in CONTINUED]
    testbed.wait_until(lambda: _bytes(testbed, ended) == 0, LIMIT)
    seconds = time.monotonic() - began
    link.set()
    testbed.wait_final(TIMEOUT)
    testbed.wait_until(lambda: _bytes(testbed, into.values()) == 0, LIMIT)
    return Turn(ways=ways, reached=reached, before=before, seconds=seconds, left=_bytes(testbed, into.values()))


def _cancel(testbed: Testbed, one: Accepted) -> None:
    _ask(testbed, "POST", f"/images/{one.image_id}/importing:cancel")


def _delete(testbed: Testbed, one: Accepted) -> None:
    _ask(testbed, "DELETE", f"/images/{one.image_id}")


def _stop(testbed: Testbed, _: Accepted) -> None:
    disrupt(testbed.workers[-1], Kind.STOP)
    recover(testbed.workers[-1])


def _kill(testbed: Testbed, one: Accepted) -> None:
    disrupt(testbed.workers[-1], Kind.KILL)
    _cancel(testbed, one)


def _restart(testbed: Testbed, _: Accepted) -> None:
    disrupt(testbed.workers[-1], Kind.KILL)
    recover(testbed.workers[-1])


ENDS: Mapping[Way, Callable[[Testbed, Accepted], None]] = {
    Way.CANCEL: _cancel,
    Way.DELETE: _delete,
    Way.STOP: _stop,
    Way.KILL: _kill,
    Way.RESTART: _restart,
}


def _ask(testbed: Testbed, method: str, path: str) -> None:
    status, answer = testbed.ask(method, path)
    assert status < 300, f"{method} {path}: {status} {answer}"


def _at_step(testbed: Testbed, repositories: Iterable[str], step: int) -> bool:
    """Return whether each import runs, and has so many bytes in the uploads."""
    if not step:
        return testbed.sql("SELECT count(*) FROM imports WHERE state IN ('queued', 'waiting')") == "0"
    return all(_bytes(testbed, [repository]) >= step for repository in repositories)


def _bytes(testbed: Testbed, repositories: Iterable[str]) -> int:
    """Return the bytes of unfinished uploads to these repositories on the target's disk."""
    total = 0
    for repository in repositories:
        folder = testbed.target.root / "docker/registry/v2/repositories" / repository / "_uploads"
        for file in folder.rglob("data"):
            with suppress(FileNotFoundError):
                total += file.stat().st_size
    return total
