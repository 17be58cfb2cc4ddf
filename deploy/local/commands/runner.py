"""Runs a sequence of steps for a person at a terminal: prints each step when it is done, and how the run ended."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from deploy.local.processes.scratch import LocalStackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Exit status of a program that SIGINT ended: 128 and the signal's number.
INTERRUPTED = 130
# Columns of the output where it is not a terminal: a log has no width of its own.
LOG_WIDTH = 120


class Steps:
    """Prints a line for each step that is done."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, done: str) -> Iterator[None]:
        """Run one step; print its result and duration when the block ends."""
        started = time.monotonic()
        with self.console.status(f"[dim]{done} …"):
            yield
        self.say(done, f"{time.monotonic() - started:.1f} s")

    def say(self, done: str, remark: str = "") -> None:
        """Print a result."""
        self.console.print(f"[green]✔[/] {escape(done)} [dim]{remark}[/]")


def new_console() -> Console:
    """Make a console that does not wrap lines."""
    return Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else LOG_WIDTH)


def run_to_end(console: Console, action: Callable[[], None]) -> int:
    """Run an action, print how it ended, and return the exit status.

    The status is 0 if it succeeded, 1 after LocalStackError, and 130 after an interrupt.
    """
    started = time.monotonic()
    try:
        action()
    except LocalStackError as error:
        console.print(f"[red]✘[/] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted; everything is stopped.")
        return INTERRUPTED
    console.print(f"[bold green]All checks passed[/] in {time.monotonic() - started:.1f} s.")
    return 0
