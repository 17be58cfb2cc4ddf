"""Showing an import while it runs."""

import time
from typing import Protocol, Self

from rich.console import Console

from longshore_client.errors import ClientError
from longshore_client.import_details import ImportDetails
from longshore_client.terminal.import_bars import ImportBars
from longshore_client.terminal.import_lines import ImportLines


class ImportView(Protocol):
    """Shows an import's details as they come in."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, details: ImportDetails) -> None:
        """Show the newest details."""

    def trouble(self, error: ClientError) -> None:
        """Show that the API is away."""


def view_for(console: Console, title: str) -> ImportView:
    """Return bars for a terminal that can move its cursor, lines for anything else."""
    if console.is_terminal and not console.is_dumb_terminal:
        return ImportBars(console, title, clock=time.monotonic)
    return ImportLines(console, title, clock=time.monotonic)
