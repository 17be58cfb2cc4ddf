"""Ctrl-C in two steps: the first asks, the second ends the process at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from longshore_client.commands.exit_codes import ExitCode

_T = TypeVar("_T")
# Bars hide the cursor (xterm, DECTCEM).
_SHOW_CURSOR = "\x1b[?25h\n"


class InterruptedByPersonError(Exception):
    """Somebody pressed Ctrl-C."""


class Interruption:
    """Whether somebody has asked to stop; `noticed` is called when that happens."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self.noticed: Callable[[], None] | None = None

    @property
    def asked(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._asked.is_set()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C over while the block runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._hit)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def race(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return what the work returns; raises InterruptedByPersonError when Ctrl-C comes first, and ends the work."""
        task, asked = asyncio.create_task(work), asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait((task, asked), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise InterruptedByPersonError
            return task.result()
        finally:
            for other in (task, asked):
                other.cancel()
            await asyncio.gather(task, asked, return_exceptions=True)

    def _hit(self) -> None:
        if self.asked:
            _end_at_once()
        self._asked.set()
        if self.noticed:
            self.noticed()


def _end_at_once() -> None:
    """End without waiting for anything, with the terminal as it was."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(ExitCode.INTERRUPTED)
