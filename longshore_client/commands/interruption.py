"""Ctrl-C in two steps: the first one requests an end, the second one ends the process at once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from longshore_client.commands.exit_codes import ExitCode

_T = TypeVar("_T")
# Bars hide the cursor; this shows it again (xterm, DECTCEM).
_SHOW_CURSOR = "\x1b[?25h\n"


class InterruptedByUserError(Exception):
    """The user pressed Ctrl-C."""


class Interruption:
    """Records whether the user has pressed Ctrl-C; calls `on_request` when it happens."""

    def __init__(self) -> None:
        self._requested = asyncio.Event()
        self.on_request: Callable[[], None] | None = None

    @property
    def requested(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._requested.is_set()

    @contextmanager
    def handling_ctrl_c(self) -> Iterator[None]:
        """Handle Ctrl-C while the block runs."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGINT)

    async def run_until_requested(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Return the work's result; on Ctrl-C, cancel the work and raise InterruptedByUserError."""
        task, requested = asyncio.create_task(work), asyncio.create_task(self._requested.wait())
        try:
            await asyncio.wait((task, requested), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise InterruptedByUserError
            return task.result()
        finally:
            for other in (task, requested):
                other.cancel()
            await asyncio.gather(task, requested, return_exceptions=True)

    def _on_signal(self) -> None:
        if self.requested:
            _exit_at_once()
        self._requested.set()
        if self.on_request:
            self.on_request()


def _exit_at_once() -> None:
    """End the process without waiting for anything, and restore the terminal's cursor."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR.encode())
    os._exit(ExitCode.INTERRUPTED)
