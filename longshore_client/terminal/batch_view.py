"""Showing many imports while they run."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from rich.console import Console

from longshore_client.commands.batch import Entry
from longshore_client.errors import ClientError
from longshore_client.terminal.batch_bars import BatchBars
from longshore_client.terminal.output import note
from longshore_client.terminal.report import tell_result


class BatchView(Protocol):
    """Shows a batch."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def told(self, entry: Entry) -> None:
        """Show that nothing more will happen to an entry."""

    def trouble(self, error: ClientError) -> None:
        """Show that the API is away."""


class BatchLines:
    """A line for each import when it has ended."""

    def __init__(self, console: Console, entries: Sequence[Entry]) -> None:
        self._console = console
        self._entries = entries
        self._trouble = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has to be put back."""

    def told(self, entry: Entry) -> None:
        """Print the outcome."""
        self._trouble = ""
        tell_result(entry.result(), console=self._console, prefix=count(self._entries))

    def trouble(self, error: ClientError) -> None:
        """Say once that the API is away."""
        if error.message != self._trouble:
            self._trouble = error.message
            note(f"{error.message} Trying again.")


def count(entries: Sequence[Entry]) -> str:
    """Return how many of all have ended, before a line."""
    done = sum(entry.done for entry in entries)
    return f"[{done:>{len(str(len(entries)))}}/{len(entries)}] "


def batch_view(console: Console, entries: Sequence[Entry], clock: Callable[[], float]) -> BatchView:
    """Return bars for a terminal that can move its cursor, lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return BatchBars(console, entries, clock=clock)
    return BatchLines(console, entries)
