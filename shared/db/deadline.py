"""How long one request waits for the database in all, however many connections and statements it needs.

Each wait has a limit of its own, but a request makes several, and in trouble they add up.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from types import TracebackType


class _Budget:
    """Seconds that are left; below zero where the last wait took longer than it might."""

    def __init__(self, left: float) -> None:
        self.left = left


_deadline: ContextVar[_Budget | None] = ContextVar("deadline", default=None)


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let all waits of the block, and of the tasks it starts, take so many seconds together; they are no others'."""
    token = _deadline.set(_Budget(seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


class Waiting:
    """A wait that is taken from the deadline, if there is one: as `async with`, it raises TimeoutError at the end."""

    def __init__(self) -> None:
        self._deadline = _deadline.get()
        self._limit = asyncio.timeout(self._deadline.left if self._deadline else None)

    async def __aenter__(self) -> None:
        self._began = monotonic()
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._deadline:
            self._deadline.left -= monotonic() - self._began
        await self._limit.__aexit__(kind, error, trace)
