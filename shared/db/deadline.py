"""Limits the time that one request waits for the database in all, however many connections and statements it needs.

Each wait has its own limit, but a request waits several times, and in trouble the waits add up.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from types import TracebackType


class _Budget:
    """The seconds left; below zero where the last wait took longer than its limit."""

    def __init__(self, left: float) -> None:
        self.left = left


_budget: ContextVar[_Budget | None] = ContextVar("budget", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Limit all waits of the block, and of the tasks that it starts, to so many seconds in all."""
    token = _budget.set(_Budget(seconds))
    try:
        yield
    finally:
        _budget.reset(token)


class BoundedWait:
    """A wait that counts against the block's deadline, if there is one: `async with` raises TimeoutError at its end."""

    def __init__(self) -> None:
        self._budget = _budget.get()
        self._limit = asyncio.timeout(self._budget.left if self._budget else None)

    async def __aenter__(self) -> None:
        self._began = monotonic()
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._budget:
            self._budget.left -= monotonic() - self._began
        await self._limit.__aexit__(kind, error, trace)
