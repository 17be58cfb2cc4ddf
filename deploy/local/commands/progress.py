"""An import's layers on the terminal: one bar for each, or plain lines where there is no terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self

from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn

if TYPE_CHECKING:
    from rich.console import Console

# Characters of a digest's hex that a person compares.
SHORT = 12

# Without a terminal a layer is worth a line each time it has come this many per cent further.
STEP = 25


class View(Protocol):
    """Shows importing-details as they come in."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, details: dict[str, Any]) -> None:
        """Show the newest details."""


def view_for(console: Console) -> View:
    """Return bars for a terminal, lines for anything else."""
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
        """Move the bars."""
        for digest, layer in details["layersDetail"].items():
            if digest not in self._tasks:
                self._tasks[digest] = self._progress.add_task(short(digest), total=layer["size"], outcome="")
            self._progress.update(
                self._tasks[digest], total=layer["size"], completed=layer["offset"], outcome=outcome(layer)
            )


class Lines:
    """A line whenever a layer has come a good deal further."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, details: dict[str, Any]) -> None:
        """Print what has changed."""
        for digest, layer in details["layersDetail"].items():
            stand = (layer["status"], layer["progress"] // STEP)
            if self._shown.get(digest) != stand:
                self._shown[digest] = stand
                size = decimal(layer["size"])
                line = f"  {short(digest)}  {layer['progress']:>3}%  {size:>9}  {outcome(layer) or layer['status']}"
                self._console.print(line, highlight=False)


def outcome(layer: dict[str, Any]) -> str:
    """Say how a finished layer came to be in the target."""
    if layer["status"] == "completed":
        return str(layer["transfer"] or layer["status"])
    return "failed" if layer["status"] == "failed" else ""


def short(digest: str) -> str:
    """Shorten a digest for people, as registries' own tools do."""
    return digest.partition(":")[2][:SHORT]
