"""The layers of an import as progress bars, or as plain lines if the output is not a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

if TYPE_CHECKING:
    from rich.console import Console

# Characters of a digest's hex that a person compares.
SHORT = 12

# Without a terminal, a layer gets a new line after this many per cent.
STEP = 25


class View(Protocol):
    """Shows the details of an import."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, details: dict[str, Any]) -> None:
        """Show the newest details."""


def view_for(console: Console) -> View:
    """Return bars for a terminal, and lines otherwise."""
    return Bars(console) if console.is_terminal else Lines(console)


class Bars:
    """A bar for each layer."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("  [cyan]{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            DownloadColumn(),
            TextColumn("[green]{task.fields[outcome]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, details: dict[str, Any]) -> None:
        """Update the bars."""
        for digest, layer in details["layersDetail"].items():
            if digest not in self._tasks:
                self._tasks[digest] = self._progress.add_task(short(digest), total=layer["size"], outcome="")
            self._progress.update(
                self._tasks[digest], total=layer["size"], completed=layer["offset"], outcome=outcome(layer)
            )


class Lines:
    """A line for each STEP of a layer."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, details: dict[str, Any]) -> None:
        """Print the layers that have changed."""
        for digest, layer in details["layersDetail"].items():
            state = (layer["status"], layer["progress"] // STEP)
            if self._shown.get(digest) != state:
                self._shown[digest] = state
                size = decimal(layer["size"])
                line = f"  {short(digest)}  {layer['progress']:>3}%  {size:>9}  {outcome(layer) or layer['status']}"
                self._console.print(line, highlight=False)


def outcome(layer: dict[str, Any]) -> str:
    """Return how a finished layer was transferred, or an empty text."""
    if layer["status"] == "completed":
        return str(layer["transfer"] or layer["status"])
    return "failed" if layer["status"] == "failed" else ""


def short(digest: str) -> str:
    """Shorten a digest as the tools of registries do."""
    return digest.partition(":")[2][:SHORT]
