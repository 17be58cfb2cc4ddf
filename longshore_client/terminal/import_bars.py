"""An import as bars that move: one for each layer, one for all."""

from collections.abc import Callable
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from longshore_client.errors import ClientError
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.terminal.figures import duration, part, rate, short_digest, size
from longshore_client.terminal.import_lines import progress_line
from longshore_client.terminal.layer_rows import choose_rows, outcome
from longshore_client.terminal.meter import Meter
from longshore_client.terminal.safe_text import safe

# Lines beside those of layers: title, total, message, and one for the prompt.
OTHER_LINES = 5
# What a digest and the space between columns take, and what is said behind a bar at its longest. A bar is as long as
# they leave room for, within these. Columns.
DIGEST, SPACE, SAID = 14, 2, 46
SHORTEST_BAR, LONGEST_BAR = 6, 40
# Below these widths there is no room for bytes, and for bars. Columns.
ROOM_FOR_BYTES, ROOM_FOR_BARS = 56, 34

_STYLES = {"copied": "green", "mounted": "cyan", "exists already": "cyan", "failed": "red", "waiting": "dim"}


class ImportBars:
    """Draws an import anew whenever it changes, in place."""

    def __init__(self, console: Console, title: str, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._details: ImportDetails | None = None
        self._trouble = ""
        self._meters: dict[str, Meter] = {}
        # Drawn when there is news, which the API tells four times a second at most: a quiet import sends nothing.
        self._live = Live(console=console, get_renderable=self.draw, auto_refresh=False, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, details: ImportDetails) -> None:
        """Take in the newest details."""
        now = self._clock()
        for layer in details.layers:
            self._meters.setdefault(layer.digest, Meter()).look(layer.offset, now)
        self._details, self._trouble = details, ""
        self._live.refresh()

    def trouble(self, error: ClientError) -> None:
        """Show that the API is away, until it is not."""
        self._trouble = f"{error.message} Trying again."
        self._live.refresh()

    def draw(self) -> RenderableType:
        """Return what the terminal shows now."""
        title = Text(safe(self._title), style="bold", overflow="ellipsis", no_wrap=True)
        if self._details is None:
            return Group(title, self._message("Asking the API."))
        return Group(title, self._layers(self._details), self._message(self._details.message))

    def _message(self, text: str) -> Text:
        shown = self._trouble or text
        return Text(f"  {safe(shown)}", style="yellow" if self._trouble else "dim", overflow="ellipsis", no_wrap=True)

    def _layers(self, details: ImportDetails) -> RenderableType:
        rows = choose_rows(details.layers, max(1, self._console.height - OTHER_LINES))
        table = Table.grid(padding=(0, SPACE, 0, 0))
        bar = self._bar_width()
        for width in (DIGEST, bar, max(1, self._console.width - DIGEST - bar - 2 * SPACE)):
            table.add_column(no_wrap=True, overflow="ellipsis", max_width=width)
        for layer in rows.shown:
            table.add_row(f"  {short_digest(layer.digest)}", self._bar(layer.progress), self._state(layer))
        if rows.hidden:
            table.add_row("", "", Text(rows.hidden, style="dim"))
        if details.bytes_total:
            table.add_row(Text("  all", style="bold"), self._bar(details.progress), Text(self._total(details)))
        return table

    def _bar_width(self) -> int:
        room = self._console.width - DIGEST - SAID - 2 * SPACE
        return min(LONGEST_BAR, max(SHORTEST_BAR, room))

    def _bar(self, percent: int) -> RenderableType:
        if self._console.width < ROOM_FOR_BARS:
            return Text(f"{percent:>3} %")
        return ProgressBar(total=100, completed=percent, width=self._bar_width())

    def _state(self, layer: Layer) -> Text:
        word = outcome(layer)
        if word:
            told = word if self._console.width < ROOM_FOR_BYTES else f"{word}, {size(layer.size)}"
            return Text(told, style=_STYLES.get(word, ""))
        return Text(", ".join(self._speed(layer)))

    def _speed(self, layer: Layer) -> list[str]:
        if self._console.width < ROOM_FOR_BYTES:
            return [f"{layer.progress} %"]
        meter = self._meters[layer.digest]
        left = meter.remaining(layer.size - layer.offset)
        told = [part(layer.offset, layer.size)]
        return told if left is None else [*told, rate(meter.rate), duration(left)]

    def _total(self, details: ImportDetails) -> str:
        return progress_line(details) if self._console.width >= ROOM_FOR_BYTES else f"{details.progress} %"
