"""Blows that fall on processes at given times, and somebody who sets them up again, as an orchestrator would."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from deploy.local.stack import LocalStackError, Server

# How often a process that has no blow to bear is looked after. Seconds.
LOOK_SECONDS = 0.25
# A service ends by itself where it cannot begin, since what it needs is away: it is started again for so long. Seconds.
REVIVE_SECONDS = 120.0


class Kind(StrEnum):
    """What a blow does; in the end the process is there again."""

    KILL = "kill"
    """SIGKILL."""
    STOP = "stop"
    """The signal for an orderly end: SIGTERM, and for PostgreSQL a fast shutdown."""
    IMMEDIATE = "immediate"
    """SIGQUIT: PostgreSQL's immediate shutdown."""
    FREEZE = "freeze"
    """SIGSTOP, then SIGCONT."""


@dataclass(frozen=True, kw_only=True)
class Blow:
    """Falls `at` seconds after the storm's begin; the process is away or frozen for `lasts` seconds at least."""

    at: float
    victim: str
    kind: Kind
    lasts: float


@dataclass(frozen=True, kw_only=True)
class Prey:
    """What may befall a process: `share` is how often it is hit compared with others; `lasts` has seconds from-to."""

    kinds: Sequence[Kind]
    share: float = 1.0
    lasts: tuple[float, float] = (0.0, 1.0)


def make_blows(rng: random.Random, prey: Mapping[str, Prey], *, number: int, seconds: float) -> list[Blow]:
    """Decide so many blows within so many seconds; every process gets one at least, if there are enough."""
    names = list(prey)
    victims = (names + rng.choices(names, [one.share for one in prey.values()], k=number))[:number]
    times = sorted(rng.uniform(0, seconds) for _ in range(number))
    rng.shuffle(victims)
    return [
        Blow(
            at=round(at, 3),
            victim=victim,
            kind=rng.choice(prey[victim].kinds),
            lasts=round(rng.uniform(*prey[victim].lasts), 3),
        )
        for at, victim in zip(times, victims, strict=True)
    ]


class Storm:
    """Runs while the block does: one thread for each process, so that blows on several overlap.

    A blow that is due while its victim is still getting up falls as soon as it stands. When the block ends, what has
    not fallen yet does not, and everything is up again. `calm()` waits until all have fallen.
    """

    def __init__(self, blows: Sequence[Blow], victims: Mapping[str, Server]) -> None:
        self._blows = sorted(blows, key=lambda blow: blow.at)
        self._victims = victims
        self._ended = threading.Event()
        self.injected: list[Blow] = []
        # Processes that ended by themselves and were started again.
        self.revived: list[str] = []

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(max(1, len(self._victims)))
        self._tasks: list[Future[None]] = [self._pool.submit(self._beset, name) for name in self._victims]
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._pool.shutdown()
        for task in self._tasks:
            task.result()

    def calm(self) -> None:
        """Wait until every blow has fallen and its victim is up again."""
        while len(self.injected) < len(self._blows) and not any(task.done() for task in self._tasks):
            time.sleep(LOOK_SECONDS)

    def _beset(self, name: str) -> None:
        victim = self._victims[name]
        for blow in (blow for blow in self._blows if blow.victim == name):
            self._attend(name, until=self._began + blow.at)
            if self._ended.is_set():
                return
            strike(victim, blow.kind)
            self._ended.wait(blow.lasts)
            revive(victim)
            self.injected.append(blow)
        self._attend(name, until=None)

    def _attend(self, name: str, *, until: float | None) -> None:
        """Look after a process until that time, or the storm's end."""
        victim = self._victims[name]
        while not self._ended.is_set() and (until is None or time.monotonic() < until):
            if not victim.alive:
                revive(victim)
                self.revived.append(name)
            rest = LOOK_SECONDS if until is None else min(LOOK_SECONDS, max(0.0, until - time.monotonic()))
            self._ended.wait(rest)


def strike(victim: Server, kind: Kind) -> None:
    """Let a blow fall; returns when the process is gone, or frozen."""
    if not victim.alive:
        return
    match kind:
        case Kind.KILL:
            # It may have ended by itself in this very moment.
            with contextlib.suppress(ProcessLookupError):
                victim.kill()
        case Kind.STOP:
            victim.stop()
        case Kind.IMMEDIATE:
            assert victim.process
            victim.process.send(signal.SIGQUIT)
            victim.process.wait(victim.stop_seconds)
        case Kind.FREEZE:
            os.kill(victim.pid, signal.SIGSTOP)


def revive(victim: Server) -> None:
    """Let a frozen process go on and a dead one begin anew; returns when it is ready."""
    limit = time.monotonic() + REVIVE_SECONDS
    victim.thaw()
    while True:
        try:
            if victim.alive:
                victim.wait_ready()
            else:
                victim.start()
        except LocalStackError:
            if time.monotonic() > limit:
                raise
        else:
            return
