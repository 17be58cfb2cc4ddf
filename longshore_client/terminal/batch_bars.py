"""Shows many imports as bars: one for all, and one for each that moves bytes."""

from collections.abc import Callable, Sequence
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from longshore_client.batch import BatchEntry
from longshore_client.errors import ClientError
from longshore_client.terminal.figures import duration, part, size
from longshore_client.terminal.output import retry_message
from longshore_client.terminal.progress_text import progress_line
from longshore_client.terminal.report import print_result
from longshore_client.terminal.safe_text import safe

# Updates arrive about once per second. Times per second.
REFRESH_RATE = 2
# Lines besides those of imports: the bar for all, the error, and the prompt.
OTHER_LINES = 4
# Width of a bar, and the largest part of the terminal's width for the source. Columns; a fraction.
BAR_WIDTH = 20
NAME_SHARE = 0.4


class BatchBars:
    """Redraws the bars of a batch in place, and prints results above them."""

    def __init__(self, console: Console, entries: Sequence[BatchEntry], *, clock: Callable[[], float]) -> None:
        self._console = console
        self._entries = entries
        self._clock = clock
        self._begun = clock()
        self._error = ""
        self._live = Live(
            console=console,
            get_renderable=self.draw,
            refresh_per_second=REFRESH_RATE,
            redirect_stdout=False,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show_result(self, entry: BatchEntry) -> None:
        """Print the result above the bars."""
        self._error = ""
        print_result(entry.result(), console=self._console)

    def show_retry(self, error: ClientError) -> None:
        """Show the error until the next result."""
        self._error = retry_message(error)

    def draw(self) -> RenderableType:
        """Return the bars."""
        moving = [(entry, entry.details) for entry in self._entries if entry.open and entry.details]
        moving = [(entry, details) for entry, details in moving if details.state == "running"]
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=round(self._console.width * NAME_SHARE))
        for _ in range(2):
            table.add_column(no_wrap=True, overflow="ellipsis")
        for entry, details in moving[: max(1, self._console.height - OTHER_LINES)]:
            table.add_row(f"  {safe(entry.request.source)}", _bar(details.progress), progress_line(details))
        table.add_row(Text("all", style="bold"), _bar(self._progress()), self._summary())
        error = Text(safe(self._error), style="yellow", no_wrap=True, overflow="ellipsis")
        return Group(table, *([error] if self._error else []))

    def _progress(self) -> float:
        """Return the mean progress in per cent, since the sizes of waiting imports are not known."""
        percents = (100 if entry.done else entry.details.progress if entry.details else 0 for entry in self._entries)
        return sum(percents) / len(self._entries)

    def _summary(self) -> str:
        known = [entry.details for entry in self._entries if entry.details]
        done, total = sum(details.bytes_done for details in known), sum(details.bytes_total for details in known)
        rate = sum(details.rate for details in known if not details.final)
        parts = [f"{sum(entry.done for entry in self._entries)}/{len(self._entries)} images"]
        parts += [part(done, total)] if total else []
        parts += [f"{size(rate)}/s"] if rate else []
        return ", ".join([*parts, duration(self._clock() - self._begun)])


def _bar(percent: float) -> ProgressBar:
    return ProgressBar(total=100, completed=percent, width=BAR_WIDTH)
