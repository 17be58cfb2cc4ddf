"""Which of an import's layers are shown where not all have room, and what is said of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from longshore_client.import_details import Layer

# What has happened to a layer, in a word. Mounted and existing ones cost nothing, which is worth showing.
_WORDS = {"copied": "copied", "mounted": "mounted", "existing": "exists already"}
# Those that a person watches stay, those that have ended go first.
_RANKS = {"downloading": 0, "failed": 1, "pending": 2, "completed": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRows:
    """The layers that are shown, in the image's order, and how many of each status are not."""

    shown: Sequence[Layer]
    hidden: str


def choose_rows(layers: Sequence[Layer], room: int) -> LayerRows:
    """Choose the layers for so many lines; what is left out is counted in a line of its own."""
    if len(layers) <= room:
        return LayerRows(shown=layers, hidden="")
    ranked = sorted(layers, key=lambda layer: _RANKS.get(layer.status, 0))
    kept = {layer.digest for layer in ranked[: max(0, room - 1)]}
    left_out = [layer for layer in layers if layer.digest not in kept]
    done = sum(layer.status == "completed" for layer in left_out)
    counts = ((done, "done"), (len(left_out) - done, "to come"))
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    return LayerRows(shown=[layer for layer in layers if layer.digest in kept], hidden=f"and {told}")


def outcome(layer: Layer) -> str:
    """Say where a layer stands in a word or two."""
    if layer.status == "completed":
        return _WORDS.get(layer.transfer or "", "done")
    return {"pending": "waiting", "failed": "failed"}.get(layer.status, "")
