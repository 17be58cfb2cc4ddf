"""Shows an import while it runs: as bars, or as plain lines for logs, pipes and simple terminals."""

import time
from collections.abc import Callable
from typing import Protocol, Self

from rich.console import Console
from rich.text import Text

from longshore_client.errors import ClientError
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.terminal.figures import short_digest, size
from longshore_client.terminal.import_bars import ImportBars
from longshore_client.terminal.output import retry_message
from longshore_client.terminal.progress_text import layer_outcome, progress_line
from longshore_client.terminal.safe_text import safe

# A progress line is printed for each step of this size, and after a silence of this length. Per cent; seconds.
STEP = 10
SILENCE_SECONDS = 30.0


class ImportView(Protocol):
    """Shows an import's details as they arrive."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, details: ImportDetails) -> None:
        """Show the newest details."""

    def show_retry(self, error: ClientError) -> None:
        """Show that the API is away and the client retries."""


class ImportLines:
    """Prints a line for each change; never moves the cursor."""

    def __init__(self, console: Console, title: str, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._printed_layers: set[str] = set()
        self._last_message = ""
        self._last_step = 0
        self._printed_at = clock()

    def __enter__(self) -> Self:
        self._print(self._title)
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: there is no state of the terminal to restore."""

    def show(self, details: ImportDetails) -> None:
        """Print the changes since the last details."""
        for layer in details.layers:
            self._show_layer(layer)
        silent = self._clock() - self._printed_at >= SILENCE_SECONDS
        step = details.progress // STEP
        if details.bytes_total and (step > self._last_step or silent) and not details.final:
            self._print(progress_line(details))
        self._last_step = step
        if details.message != self._last_message and not details.final:
            self._last_message = details.message
            self._print(details.message)

    def show_retry(self, error: ClientError) -> None:
        """Print each error of a series once."""
        if error.message != self._last_message:
            self._last_message = error.message
            self._print(retry_message(error))

    def _show_layer(self, layer: Layer) -> None:
        if layer.status == "completed" and layer.digest not in self._printed_layers:
            self._printed_layers.add(layer.digest)
            self._print(f"  {short_digest(layer.digest)}  {layer_outcome(layer)}, {size(layer.size)}")

    def _print(self, line: str) -> None:
        self._printed_at = self._clock()
        self._console.print(Text(safe(line)), soft_wrap=True)


def view_for(console: Console, title: str) -> ImportView:
    """Return bars for a terminal that can move its cursor, or else lines."""
    if console.is_terminal and not console.is_dumb_terminal:
        return ImportBars(console, title, clock=time.monotonic)
    return ImportLines(console, title, clock=time.monotonic)
