"""An import as plain lines: for logs, pipes and terminals that cannot do more."""

from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.text import Text

from longshore_client.errors import ClientError
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.terminal.figures import duration, part, rate, short_digest, size
from longshore_client.terminal.layer_rows import outcome
from longshore_client.terminal.safe_text import safe

# A line for each so many per cent, and one after so long a silence, so that a log shows life. Per cent, seconds.
STEP = 10
QUIET_SECONDS = 30.0


class ImportLines:
    """Prints a line whenever there is something to say."""

    def __init__(self, console: Console, title: str, *, clock: Callable[[], float]) -> None:
        self._console = console
        self._title = title
        self._clock = clock
        self._told: set[str] = set()
        self._message = ""
        self._step = 0
        self._said_at = clock()

    def __enter__(self) -> Self:
        self._say(self._title)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has to be put back."""

    def show(self, details: ImportDetails) -> None:
        """Print what is new."""
        for layer in details.layers:
            self._tell_layer(layer)
        silent = self._clock() - self._said_at >= QUIET_SECONDS
        step = details.progress // STEP
        if details.bytes_total and (step > self._step or silent) and not details.final:
            self._say(progress_line(details))
        self._step = step
        if details.message != self._message and not details.final:
            self._message = details.message
            self._say(details.message)

    def trouble(self, error: ClientError) -> None:
        """Say once that the API is away."""
        if error.message != self._message:
            self._message = error.message
            self._say(f"{error.message} Trying again.")

    def _tell_layer(self, layer: Layer) -> None:
        if layer.status == "completed" and layer.digest not in self._told:
            self._told.add(layer.digest)
            self._say(f"  {short_digest(layer.digest)}  {outcome(layer)}, {size(layer.size)}")

    def _say(self, line: str) -> None:
        self._said_at = self._clock()
        self._console.print(Text(safe(line)), soft_wrap=True)


def progress_line(details: ImportDetails) -> str:
    """Say how far an import is: per cent, bytes, rate, time left."""
    told = [f"{details.progress} %", part(details.bytes_done, details.bytes_total)]
    if details.rate:
        told.append(rate(details.rate))
    if details.eta is not None and details.state == "running":
        told.append(f"{duration(details.eta)} left")
    return ", ".join(told)
