"""Shows an import as bars: one for each layer, and one for all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from longshore_client.errors import ClientError
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.terminal.figures import duration, part, rate, short_digest, size
from longshore_client.terminal.output import retry_message
from longshore_client.terminal.progress_text import choose_rows, layer_outcome, progress_line
from longshore_client.terminal.safe_text import safe

# Lines besides those of layers: title, total, message, and the prompt.
OTHER_LINES = 5
# Widths of a digest, of the space between columns, and of the longest text behind a bar. Columns.
DIGEST_WIDTH, SPACE, TEXT_WIDTH = 14, 2, 46
# A bar has the rest of the terminal's width, within these limits. Columns.
SHORTEST_BAR, LONGEST_BAR = 6, 40
# The smallest widths of terminals that show bytes, and that show bars. Columns.
MIN_WIDTH_FOR_BYTES, MIN_WIDTH_FOR_BARS = 56, 34
# Weight of the newest measurement in a layer's rate; the rest is the past, so that the figure does not jump. 0 to 1.
RATE_WEIGHT = 0.3
# The shortest time between two measurements of a rate; a shorter one is too inexact. Seconds.
MIN_INTERVAL = 0.2

_STYLES = {"copied": "green", "mounted": "cyan", "exists already": "cyan", "failed": "red", "waiting": "dim"}


@dataclass(slots=True)
class RateMeter:
    """Measures a rate in bytes per second, smoothed; 0 before the second measurement."""

    rate: float = 0.0
    _time: float | None = None
    _count: int = 0

    def observe(self, count: int, now: float) -> None:
        """Record the bytes at a moment in seconds. Fewer bytes than before, as after a new attempt, start it over."""
        if self._time is None or count < self._count:
            self.rate, self._time, self._count = 0.0, now, count
            return
        interval = now - self._time
        if interval < MIN_INTERVAL:
            return
        newest = (count - self._count) / interval
        self.rate = newest if self.rate == 0 else RATE_WEIGHT * newest + (1 - RATE_WEIGHT) * self.rate
        self._time, self._count = now, count

    def remaining(self, count: int) -> float | None:
        """Return the seconds for so many more bytes; None at a rate of 0."""
        return count / self.rate if self.rate > 0 else None


class ImportBars:
    """Redraws the bars of an import in place."""

    def __init__(self, console: Console, title: str, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._details: ImportDetails | None = None
        self._error = ""
        self._meters: dict[str, RateMeter] = {}
        # Drawn on each update, not on a timer: the API sends at most four per second, and none without a change.
        self._live = Live(console=console, get_renderable=self.draw, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, details: ImportDetails) -> None:
        """Redraw with the newest details."""
        now = self._clock()
        for layer in details.layers:
            self._meters.setdefault(layer.digest, RateMeter()).observe(layer.offset, now)
        self._details, self._error = details, ""
        self._live.refresh()

    def show_retry(self, error: ClientError) -> None:
        """Show the error until the next details."""
        self._error = retry_message(error)
        self._live.refresh()

    def draw(self) -> RenderableType:
        """Return the bars."""
        title = Text(safe(self._title), style="bold", overflow="ellipsis", no_wrap=True)
        if self._details is None:
            return Group(title, self._message("Asking the API."))
        return Group(title, self._layers(self._details), self._message(self._details.message))

    def _message(self, text: str) -> Text:
        shown = self._error or text
        return Text(f"  {safe(shown)}", style="yellow" if self._error else "dim", overflow="ellipsis", no_wrap=True)

    def _layers(self, details: ImportDetails) -> RenderableType:
        rows = choose_rows(details.layers, details.layers_summary, max(1, self._console.height - OTHER_LINES))
        table = Table.grid(padding=(0, SPACE, 0, 0))
        bar = self._bar_width()
        for width in (DIGEST_WIDTH, bar, max(1, self._console.width - DIGEST_WIDTH - bar - 2 * SPACE)):
            table.add_column(no_wrap=True, overflow="ellipsis", max_width=width)
        for layer in rows.shown:
            table.add_row(f"  {short_digest(layer.digest)}", self._bar(layer.progress), self._state(layer))
        if rows.hidden:
            table.add_row("", "", Text(rows.hidden, style="dim"))
        if details.bytes_total:
            table.add_row(Text("  all", style="bold"), self._bar(details.progress), Text(self._total(details)))
        return table

    def _bar_width(self) -> int:
        rest = self._console.width - DIGEST_WIDTH - TEXT_WIDTH - 2 * SPACE
        return min(LONGEST_BAR, max(SHORTEST_BAR, rest))

    def _bar(self, percent: int) -> RenderableType:
        if self._console.width < MIN_WIDTH_FOR_BARS:
            return Text(f"{percent:>3} %")
        return ProgressBar(total=100, completed=percent, width=self._bar_width())

    def _state(self, layer: Layer) -> Text:
        word = layer_outcome(layer)
        if word:
            text = word if self._console.width < MIN_WIDTH_FOR_BYTES else f"{word}, {size(layer.size)}"
            return Text(text, style=_STYLES.get(word, ""))
        return Text(", ".join(self._speed(layer)))

    def _speed(self, layer: Layer) -> list[str]:
        if self._console.width < MIN_WIDTH_FOR_BYTES:
            return [f"{layer.progress} %"]
        meter = self._meters[layer.digest]
        left = meter.remaining(layer.size - layer.offset)
        moved = [part(layer.offset, layer.size)]
        return moved if left is None else [*moved, rate(meter.rate), duration(left)]

    def _total(self, details: ImportDetails) -> str:
        return progress_line(details) if self._console.width >= MIN_WIDTH_FOR_BYTES else f"{details.progress} %"
