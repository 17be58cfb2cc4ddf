"""Disruptions of processes at planned times, and their restart, as an orchestrator would do."""

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

# The interval of checks of a process between disruptions. Seconds.
POLL_SECONDS = 0.25
# The time for restarts of a service that exits because a server that it needs is down. Seconds.
RECOVERY_SECONDS = 120.0


class Kind(StrEnum):
    """A kind of disruption; afterwards the process is restarted or resumed."""

    KILL = "kill"
    """SIGKILL."""
    STOP = "stop"
    """The stop signal: SIGTERM, and for PostgreSQL a fast shutdown."""
    IMMEDIATE = "immediate"
    """SIGQUIT: PostgreSQL's immediate shutdown."""
    FREEZE = "freeze"
    """SIGSTOP, then SIGCONT."""


@dataclass(frozen=True, kw_only=True)
class Disruption:
    """A disruption `at` seconds after the start; the process is down or frozen for at least `duration` seconds."""

    at: float
    victim: str
    kind: Kind
    duration: float


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """The disruptions of a process: `share` is its relative frequency; `duration` is a range of seconds."""

    kinds: Sequence[Kind]
    share: float = 1.0
    duration: tuple[float, float] = (0.0, 1.0)


def plan_disruptions(
    rng: random.Random, exposures: Mapping[str, Exposure], *, number: int, seconds: float
) -> list[Disruption]:
    """Plan this number of disruptions within this time; every process gets at least one, if there are enough."""
    names = list(exposures)
    victims = (names + rng.choices(names, [one.share for one in exposures.values()], k=number))[:number]
    times = sorted(rng.uniform(0, seconds) for _ in range(number))
    rng.shuffle(victims)
    return [
        Disruption(
            at=round(at, 3),
            victim=victim,
            kind=rng.choice(exposures[victim].kinds),
            duration=round(rng.uniform(*exposures[victim].duration), 3),
        )
        for at, victim in zip(times, victims, strict=True)
    ]


class Disruptor:
    """Disrupts processes while the block runs, with one thread for each process, so that disruptions overlap.

    A disruption that is due during its victim's restart follows that restart. The end of the block cancels the rest,
    and all processes run again. `wait_done()` waits until all disruptions are done.
    """

    def __init__(self, disruptions: Sequence[Disruption], victims: Mapping[str, Server]) -> None:
        self._blows = sorted(disruptions, key=lambda disruption: disruption.at)
        self._victims = victims
        self._ended = threading.Event()
        self.injected: list[Disruption] = []
        # Processes that exited without a disruption and were restarted.
        self.recovered: list[str] = []

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(max(1, len(self._victims)))
        self._tasks: list[Future[None]] = [self._pool.submit(self._disrupt, name) for name in self._victims]
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._pool.shutdown()
        for task in self._tasks:
            task.result()

    def wait_done(self) -> None:
        """Wait until every disruption is done and its victim runs again."""
        while len(self.injected) < len(self._blows) and not any(task.done() for task in self._tasks):
            time.sleep(POLL_SECONDS)

    def _disrupt(self, name: str) -> None:
        victim = self._victims[name]
        for disruption in (disruption for disruption in self._blows if disruption.victim == name):
            self._supervise(name, until=self._began + disruption.at)
            if self._ended.is_set():
                return
            disrupt(victim, disruption.kind)
            self._ended.wait(disruption.duration)
            recover(victim)
            self.injected.append(disruption)
        self._supervise(name, until=None)

    def _supervise(self, name: str, *, until: float | None) -> None:
        """Restart a process if it exits, until this time or the end of the block."""
        victim = self._victims[name]
        while not self._ended.is_set() and (until is None or time.monotonic() < until):
            if not victim.alive:
                recover(victim)
                self.recovered.append(name)
            rest = POLL_SECONDS if until is None else min(POLL_SECONDS, max(0.0, until - time.monotonic()))
            self._ended.wait(rest)


def disrupt(victim: Server, kind: Kind) -> None:
    """Disrupt a process; returns when it is gone or frozen."""
    if not victim.alive:
        return
    match kind:
        case Kind.KILL:
            # The process may have exited at the same moment.
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


def recover(victim: Server) -> None:
    """Resume a frozen process or restart a dead one; returns when it is ready."""
    limit = time.monotonic() + RECOVERY_SECONDS
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
