"""The faults that are set on a link at the moment, and whom each has befallen."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

from tests.faults.fault import Fault

Kind = TypeVar("Kind", bound=Fault)


class Armed:
    """One fault, and the connections that it has befallen."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.struck: set[Hashable] = set()

    def strikes(self, victim: Hashable) -> bool:
        """Tell whether the fault befalls this one, which it does for good or never."""
        if self.fault.times is None or len(self.struck) < self.fault.times:
            self.struck.add(victim)
        return victim in self.struck


class Arms:
    """All that is set on one link."""

    def __init__(self) -> None:
        self.all: list[Armed] = []
        self._changed = asyncio.Event()

    def set(self, faults: Sequence[Fault]) -> None:
        """Put these in the place of all others."""
        self.all = [Armed(fault) for fault in faults]
        self._changed.set()
        self._changed = asyncio.Event()

    def of(self, kind: type[Kind]) -> Iterator[tuple[Armed, Kind]]:
        """Return the faults of a kind."""
        for armed in self.all:
            if isinstance(armed.fault, kind):
                yield armed, armed.fault

    def strike(self, kind: type[Kind], victim: Hashable) -> bool:
        """Tell whether a fault of this kind befalls this one."""
        return any(armed.strikes(victim) for armed, _ in self.of(kind))

    async def changed(self) -> None:
        """Wait until other faults are set."""
        await self._changed.wait()
