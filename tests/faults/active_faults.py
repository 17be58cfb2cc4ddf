"""The faults that are set on a link, and the connections that each one has affected."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

from tests.faults.fault import Fault

Kind = TypeVar("Kind", bound=Fault)


class ActiveFault:
    """One fault, and the connections that it has affected."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.affected: set[Hashable] = set()

    def affects(self, connection: Hashable) -> bool:
        """Return whether the fault affects this connection; the first answer for a connection is final."""
        if self.fault.times is None or len(self.affected) < self.fault.times:
            self.affected.add(connection)
        return connection in self.affected


class ActiveFaults:
    """All faults of one link."""

    def __init__(self) -> None:
        self.all: list[ActiveFault] = []
        self._changed = asyncio.Event()

    def set(self, faults: Sequence[Fault]) -> None:
        """Replace all faults."""
        self.all = [ActiveFault(fault) for fault in faults]
        self._changed.set()
        self._changed = asyncio.Event()

    def of(self, kind: type[Kind]) -> Iterator[tuple[ActiveFault, Kind]]:
        """Yield the faults of a kind."""
        for active in self.all:
            if isinstance(active.fault, kind):
                yield active, active.fault

    def affect(self, kind: type[Kind], connection: Hashable) -> bool:
        """Return whether a fault of this kind affects this connection."""
        return any(active.affects(connection) for active, _ in self.of(kind))

    async def changed(self) -> None:
        """Wait until the faults are replaced."""
        await self._changed.wait()
