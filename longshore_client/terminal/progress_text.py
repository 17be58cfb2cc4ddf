"""Texts about an import's progress, and the choice of layers for a small terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore_client.import_details import ImportDetails, Layer, LayersSummary
from longshore_client.terminal.figures import duration, part, rate

# The words for a layer's transfer. Mounted and existing layers move no bytes, so the user sees which they are.
_TRANSFERS = {"copied": "copied", "mounted": "mounted", "existing": "exists already"}
_STATUSES = {"pending": "waiting", "failed": "failed"}
# The layers with the lowest rank are shown first if there is not enough room.
_RANKS = {"downloading": 0, "failed": 1, "pending": 2, "completed": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRows:
    """The layers to show, in the image's order, and a line that counts the others."""

    shown: Sequence[Layer]
    hidden: str


def choose_rows(layers: Sequence[Layer], summary: LayersSummary, lines: int) -> LayerRows:
    """Choose the layers for a number of lines; the last line counts the layers that are not shown.

    The summary counts all layers of the image, which may be more than these.
    """
    if summary.total <= min(lines, len(layers)):
        return LayerRows(shown=layers, hidden="")
    ranked = sorted(layers, key=lambda layer: _RANKS.get(layer.status, 0))
    kept = {layer.digest for layer in ranked[: max(0, lines - 1)]}
    shown = [layer for layer in layers if layer.digest in kept]
    done = summary.completed - sum(layer.status == "completed" for layer in shown)
    counts = ((done, "done"), (summary.total - len(shown) - done, "to come"))
    hidden = ", ".join(f"{count} {word}" for count, word in counts if count > 0)
    return LayerRows(shown=shown, hidden=f"and {hidden}")


def layer_outcome(layer: Layer) -> str:
    """Return a word for a layer that does not move; empty for one that does."""
    if layer.status == "completed":
        return _TRANSFERS.get(layer.transfer or "", "done")
    return _STATUSES.get(layer.status, "")


def progress_line(details: ImportDetails) -> str:
    """Return the progress in a line: per cent, bytes, rate, time left."""
    parts = [f"{details.progress} %", part(details.bytes_done, details.bytes_total)]
    if details.rate:
        parts.append(rate(details.rate))
    if details.eta is not None and details.state == "running":
        parts.append(f"{duration(details.eta)} left")
    return ", ".join(parts)
