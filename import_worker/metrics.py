"""A worker's metrics: its slots, the state of its parts, and how long imports waited to be claimed."""

from collections.abc import Mapping

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from import_worker.slots import Slots

CONTENT_TYPE = CONTENT_TYPE_LATEST
# A free worker claims at once; at the end of a long queue it takes hours. Seconds.
WAIT_BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400)

# Otherwise the creation time of each series would be a series of its own, which no dashboard uses.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
# Separate from the default registry, whose collectors other code in the process may use.
_REGISTRY = CollectorRegistry()
_WAITED = Histogram(
    "longshore_import_queue_seconds",
    "From an import's due time to its claim.",
    buckets=WAIT_BUCKETS,
    registry=_REGISTRY,
)
_SLOTS = Gauge("longshore_worker_slots", "Imports that this worker may run at once.", registry=_REGISTRY)
_BUSY = Gauge("longshore_worker_slots_busy", "Slots that its imports hold.", registry=_REGISTRY)
_IDLE = Gauge(
    "longshore_worker_imports_idle",
    "Imports without a slot, which wait for transfers of others.",
    registry=_REGISTRY,
)
_UP = Gauge("longshore_up", "Whether a part works, as this process sees it.", ("part",), registry=_REGISTRY)


def claimed(waited: float) -> None:
    """Count a claim, `waited` seconds after the import was due."""
    _WAITED.observe(waited)


def render(slots: Slots, parts: Mapping[str, bool]) -> bytes:
    """Return all metrics in Prometheus' text format."""
    _SLOTS.set(slots.size)
    _BUSY.set(slots.busy)
    _IDLE.set(slots.idle)
    for part, up in parts.items():
        _UP.labels(part).set(up)
    return generate_latest(_REGISTRY)
