"""Many imports as bars: one for all, and one for each that moves."""

from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from longshore_client.commands.batch import Entry
from longshore_client.errors import ClientError
from longshore_client.import_details import ImportDetails
from longshore_client.terminal.figures import duration, part, size
from longshore_client.terminal.import_lines import progress_line
from longshore_client.terminal.report import tell_result
from longshore_client.terminal.safe_text import safe

# News come about once a second. Times a second.
REFRESH = 2
# Lines beside those of imports: the bar for all, trouble, and one for the prompt.
OTHER_LINES = 4
# What a bar takes of the terminal's width, and the most of it that a source's name does. Columns.
BAR = 20
NAME_SHARE = 0.4


class BatchBars:
    """Draws a batch anew as it changes, in place; what has ended scrolls away above it."""

    def __init__(self, console: Console, entries: Sequence[Entry], *, clock: Callable[[], float]) -> None:
        self._console = console
        self._entries = entries
        self._clock = clock
        self._begun = clock()
        self._trouble = ""
        self._live = Live(
            console=console,
            get_renderable=self.draw,
            refresh_per_second=REFRESH,
            redirect_stdout=False,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def told(self, entry: Entry) -> None:
        """Print an outcome above the bars."""
        self._trouble = ""
        tell_result(entry.result(), console=self._console)

    def trouble(self, error: ClientError) -> None:
        """Show that the API is away, until something works again."""
        self._trouble = f"{error.message} Trying again."

    def draw(self) -> RenderableType:
        """Return what the terminal shows now."""
        moving = [(entry, entry.details) for entry in self._entries if entry.open and entry.details]
        moving = [(entry, details) for entry, details in moving if details.state == "running"]
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=round(self._console.width * NAME_SHARE))
        for _ in range(2):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for entry, details in moving[: max(1, self._console.height - OTHER_LINES)]:
            table.add_row(f"  {safe(entry.request.source)}", _bar(details.progress), progress_line(details))
        table.add_row(Text("all", style="bold"), _bar(self._progress()), self._summary())
        trouble = Text(safe(self._trouble), style="yellow", no_wrap=True, overflow="ellipsis")
        return Group(table, *([trouble] if self._trouble else []))

    def _progress(self) -> float:
        """Return the mean of all, in per cent: how large those are that wait is not known."""
        shares = (100 if entry.done else entry.details.progress if entry.details else 0 for entry in self._entries)
        return sum(shares) / len(self._entries)

    def _summary(self) -> str:
        known: list[ImportDetails] = [entry.details for entry in self._entries if entry.details]
        done, total = sum(seen.bytes_done for seen in known), sum(seen.bytes_total for seen in known)
        rate = sum(seen.rate for seen in known if not seen.final)
        told = [f"{sum(entry.done for entry in self._entries)}/{len(self._entries)} images"]
        told += [part(done, total)] if total else []
        told += [f"{size(rate)}/s"] if rate else []
        return ", ".join([*told, duration(self._clock() - self._begun)])


def _bar(percent: float) -> ProgressBar:
    return ProgressBar(total=100, completed=percent, width=BAR)
