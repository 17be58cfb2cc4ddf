"""Shows many imports while they run: as bars, or as a line for each import that has ended."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from rich.console import Console

from longshore_client.batch import BatchEntry
from longshore_client.errors import ClientError
from longshore_client.terminal.batch_bars import BatchBars
from longshore_client.terminal.output import note, retry_message
from longshore_client.terminal.report import print_result


class BatchView(Protocol):
    """Shows a batch."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show_result(self, entry: BatchEntry) -> None:
        """Show the result of an entry that is done."""

    def show_retry(self, error: ClientError) -> None:
        """Show that the API is away and the client retries."""


class BatchLines:
    """Prints a line for each import that has ended."""

    def __init__(self, console: Console, entries: Sequence[BatchEntry]) -> None:
        self._console = console
        self._entries = entries
        self._last_error = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: there is no state of the terminal to restore."""

    def show_result(self, entry: BatchEntry) -> None:
        """Print the result."""
        self._last_error = ""
        print_result(entry.result(), console=self._console, prefix=_counter(self._entries))

    def show_retry(self, error: ClientError) -> None:
        """Print each error of a series once."""
        if error.message != self._last_error:
            self._last_error = error.message
            note(retry_message(error))


def _counter(entries: Sequence[BatchEntry]) -> str:
    """Return the number of entries that are done, as a prefix of a line."""
    done = sum(entry.done for entry in entries)
    return f"[{done:>{len(str(len(entries)))}}/{len(entries)}] "


def batch_view(console: Console, entries: Sequence[BatchEntry], clock: Callable[[], float]) -> BatchView:
    """Return bars for a terminal that can move its cursor, or else lines."""
    if console.is_terminal and not console.is_dumb_terminal:
        return BatchBars(console, entries, clock=clock)
    return BatchLines(console, entries)
