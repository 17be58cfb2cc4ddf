"""Merges a report into the known layers, and computes the progress of the whole import. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.db.import_progress import Movement, OtherLayers
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import MAX_LAYERS_REPORTED, ProgressReport, ReportedState
from shared.model.integers import MAX_INT64
from shared.model.progress import LayerProgress, LayerStatus, TotalProgress, Transfer

# The time constant with which the shown rate follows the measured one: two thirds of the way in this time. Seconds.
RATE_MEMORY = 5.0
# Reports that are closer together give no useful rate. Seconds.
MIN_AGE = 0.05
NO_OTHERS = OtherLayers()
DONE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedLayers:
    """The layers to write, and the progress of the import.

    `completed` has the bytes of the layers that this report completes, by how the target got them.
    """

    changed: Mapping[str, LayerProgress]
    completed: Mapping[Transfer, int]
    movement: Movement


def merge_layers(
    known: Mapping[str, LayerProgress],
    report: ProgressReport,
    *,
    rate: float,
    age: float,
    others: OtherLayers = NO_OTHERS,
) -> MergedLayers:
    """Apply a report to the known layers; `others` are those that it does not concern.

    `rate` is the last rate, in bytes per second; `age` is in seconds since it was computed. Only copied bytes count for
    the rate: mounted and existing blobs do not. Raises `validation_failed` for more layers, or larger ones, than an
    import can have.
    """
    ready = report.state is ReportedState.READY
    layers = {**known}
    for digest, newer in report.layers.items():
        layers[digest] = known[digest].merged(newer) if digest in known else newer
    if ready:
        layers = {digest: _ended(layer) for digest, layer in layers.items()}
    if len(layers) + others.layers > MAX_LAYERS_REPORTED:
        raise LongshoreError(Code.VALIDATION_FAILED, f"An import has at most {MAX_LAYERS_REPORTED} layers.")
    changed = {digest: layer for digest, layer in layers.items() if known.get(digest) != layer}
    concerned = TotalProgress.of(layers.values())
    total = TotalProgress(done=concerned.done + others.offset, total=concerned.total + others.size)
    if total.total > MAX_INT64:
        raise LongshoreError(Code.VALIDATION_FAILED, "The layers' sizes together are beyond 64 bits.")
    movement = Movement(
        bytes_done=total.done,
        bytes_total=total.total,
        progress=DONE if ready else total.percent,
        rate=_smoothed(rate, copied=_copied(known, changed), age=age),
        moved=any(layer.status in (LayerStatus.DOWNLOADING, LayerStatus.COMPLETED) for layer in report.layers.values()),
    )
    return MergedLayers(changed=changed, completed=_completed(known, changed), movement=movement)


def _ended(layer: LayerProgress) -> LayerProgress:
    """Return the layer as completed, unless it belongs to a skipped referrer: the target serves the image."""
    if layer.status is LayerStatus.FAILED:
        return layer
    return replace(layer, status=LayerStatus.COMPLETED, offset=layer.size)


def _copied(known: Mapping[str, LayerProgress], changed: Mapping[str, LayerProgress]) -> int:
    return sum(
        layer.offset - (known[digest].offset if digest in known else 0)
        for digest, layer in changed.items()
        if layer.transfer in (None, Transfer.COPIED)
    )


def _completed(known: Mapping[str, LayerProgress], changed: Mapping[str, LayerProgress]) -> Mapping[Transfer, int]:
    """Return the sizes of layers that became complete: each layer counts once, even if a later attempt repeats it."""
    sizes = dict.fromkeys(Transfer, 0)
    for digest, layer in changed.items():
        if layer.status is LayerStatus.COMPLETED and not (digest in known and known[digest].status is layer.status):
            sizes[layer.transfer or Transfer.COPIED] += layer.size
    return sizes


def _smoothed(rate: float, *, copied: int, age: float) -> float:
    """Move the rate towards the measured one, further for a longer interval; the first measurement is kept."""
    measured = copied / max(age, MIN_AGE)
    weight = 1 - math.exp(-age / RATE_MEMORY) if rate else 1.0
    return rate + (measured - rate) * weight
