"""What a report changes in the layers known so far, and what that says of the whole import. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.db.import_progress import Movement
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_LAYERS_REPORTED, ProgressReport, ReportedState
from shared.model.progress import LayerProgress, LayerStatus, TotalProgress, Transfer

# How fast the shown rate follows the measured one: after this long, two thirds of the way. Seconds.
RATE_MEMORY = 5.0
# Two reports closer together say little about a rate. Seconds.
MIN_AGE = 0.05
DONE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedLayers:
    """The layers to write, and how far the import has come with them.

    `landed`: bytes of the layers that are completed with this report, by how the target got them.
    """

    changed: Mapping[str, LayerProgress]
    landed: Mapping[Transfer, int]
    movement: Movement


def merge_layers(
    known: Mapping[str, LayerProgress], report: ProgressReport, *, rate: float, age: float
) -> MergedLayers:
    """Apply a report to the known layers.

    `rate` is the rate so far, in bytes per second, `age` the seconds since it was computed. Only bytes that really
    moved count for it: mounted and existing blobs do not.
    """
    ready = report.state is ReportedState.READY
    layers = {**known}
    for digest, newer in report.layers.items():
        layers[digest] = known[digest].merged(newer) if digest in known else newer
    if ready:
        layers = {digest: _ended(layer) for digest, layer in layers.items()}
    if len(layers) > MAX_LAYERS_REPORTED:
        raise LongshoreError(Code.VALIDATION_FAILED, f"An import has at most {MAX_LAYERS_REPORTED} layers.")
    changed = {digest: layer for digest, layer in layers.items() if known.get(digest) != layer}
    total = TotalProgress.of(layers.values())
    movement = Movement(
        bytes_done=total.done,
        bytes_total=total.total,
        progress=DONE if ready else total.percent,
        rate=_smoothed(rate, copied=_copied(known, changed), age=age),
        moved=any(layer.status in (LayerStatus.DOWNLOADING, LayerStatus.COMPLETED) for layer in report.layers.values()),
    )
    return MergedLayers(changed=changed, landed=_landed(known, changed), movement=movement)


def _ended(layer: LayerProgress) -> LayerProgress:
    """The target serves the image, so that it has every blob but those of a referrer that was left out."""
    if layer.status is LayerStatus.FAILED:
        return layer
    return replace(layer, status=LayerStatus.COMPLETED, offset=layer.size)


def _copied(known: Mapping[str, LayerProgress], changed: Mapping[str, LayerProgress]) -> int:
    return sum(
        layer.offset - (known[digest].offset if digest in known else 0)
        for digest, layer in changed.items()
        if layer.transfer in (None, Transfer.COPIED)
    )


def _landed(known: Mapping[str, LayerProgress], changed: Mapping[str, LayerProgress]) -> Mapping[Transfer, int]:
    """Add up what is complete and was not before: a layer is counted once, whatever is tried again."""
    sizes = dict.fromkeys(Transfer, 0)
    for digest, layer in changed.items():
        if layer.status is LayerStatus.COMPLETED and not (digest in known and known[digest].status is layer.status):
            sizes[layer.transfer or Transfer.COPIED] += layer.size
    return sizes


def _smoothed(rate: float, *, copied: int, age: float) -> float:
    """Move the rate towards what was measured since, the further the longer that was; the first one holds as it is."""
    measured = copied / max(age, MIN_AGE)
    weight = 1 - math.exp(-age / RATE_MEMORY) if rate else 1.0
    return rate + (measured - rate) * weight
