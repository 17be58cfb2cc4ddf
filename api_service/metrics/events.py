"""Counters of the process: ended imports, bytes, lost leases, lost images, requests.

A counter is increased after the commit of the transaction that it counts. Labels have few values, all of them from the
code: no text from a request becomes a label.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from shared.errors.kinds import ERROR_KINDS
from shared.model.progress import Transfer
from shared.model.states import FINAL_STATES, ImportState

# From an image that the target has to one of many gigabytes over a slow connection. Seconds.
IMPORT_BUCKETS = (1, 5, 15, 30, 60, 300, 900, 3_600, 14_400)
# Lists take milliseconds; a request that waits for registries takes up to five seconds. Seconds.
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

# Without this, each counter has another series with its creation time.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
EVENTS = CollectorRegistry()

_FINISHED = Counter("longshore_imports_finished", "Imports that ended.", ("outcome", "code"), registry=EVENTS)
_LIFETIME = Histogram(
    "longshore_import_duration_seconds",
    "From an import's acceptance to its end.",
    ("outcome",),
    buckets=IMPORT_BUCKETS,
    registry=EVENTS,
)
_RETRIES = Counter(
    "longshore_import_retries", "Attempts that are to be followed by another.", ("code",), registry=EVENTS
)
_HANDOVERS = Counter("longshore_import_handovers", "Imports that stopping workers gave back.", registry=EVENTS)
_TAKEOVERS = Counter("longshore_lease_takeovers", "Imports taken from workers that went silent.", registry=EVENTS)
_BYTES = Counter(
    "longshore_layer_bytes", "Sizes of completed layers, by how the target got them.", ("transfer",), registry=EVENTS
)
_LOST = Counter(
    "longshore_images_lost", "Ready images that the target was proven not to serve any more.", registry=EVENTS
)
_FOUND = Counter("longshore_images_found", "Failed images that the target serves again.", registry=EVENTS)
_PUT_RIGHT = Counter(
    "longshore_tags_put_right", "Tags that a PUT whose end was unknown had left wrong.", registry=EVENTS
)
_PATROL_STOPPED = Gauge(
    "longshore_patrol_stopped", "1 while the patrol mistrusts the target, and calls no image lost.", registry=EVENTS
)
_REQUESTS = Counter("longshore_http_requests", "Answered requests.", ("method", "route", "status"), registry=EVENTS)
_SECONDS = Histogram(
    "longshore_http_request_duration_seconds",
    "Time to an answer; event streams are left out.",
    ("method", "route"),
    buckets=REQUEST_BUCKETS,
    registry=EVENTS,
)

# Created at the start, so that the first event is an increase and not a new series.
for _state in FINAL_STATES - {ImportState.FAILED}:
    _FINISHED.labels(_state.value, "")
for _kind in ERROR_KINDS.values():
    _FINISHED.labels(ImportState.FAILED.value, _kind.code)
    if _kind.retryable:
        _RETRIES.labels(_kind.code)
for _transfer in Transfer:
    _BYTES.labels(_transfer.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """The state of an import after an attempt.

    `code` says why the import is not ready; `lifetime` is in seconds since the import was accepted, for a final state.
    """

    state: ImportState
    code: str = ""
    lifetime: float = 0.0


def attempt_ended(end: AttemptEnd) -> None:
    """Count the end of an attempt: by its worker, by a user, by the reaper or at its deadline."""
    if end.state in FINAL_STATES:
        _FINISHED.labels(end.state.value, end.code).inc()
        _LIFETIME.labels(end.state.value).observe(end.lifetime)
    elif end.state is ImportState.WAITING:
        _RETRIES.labels(end.code).inc()
    elif not end.code:
        _HANDOVERS.inc()


def lease_lost(end: AttemptEnd) -> None:
    """Count an import that was taken from a worker that stopped reporting, and the end of its attempt."""
    _TAKEOVERS.inc()
    attempt_ended(end)


def layers_completed(sizes: Mapping[Transfer, int]) -> None:
    """Count the bytes of layers that the target has now."""
    for transfer, size in sizes.items():
        _BYTES.labels(transfer.value).inc(size)


def image_lost() -> None:
    """Count a ready image that the target no longer serves."""
    _LOST.inc()


def image_found() -> None:
    """Count a failed image that the target serves again."""
    _FOUND.inc()


def tag_put_right() -> None:
    """Count a tag that was put right after a late write."""
    _PUT_RIGHT.inc()


def patrol_stopped(*, stopped: bool) -> None:
    """Show whether this process's patrol has stopped its round."""
    _PATROL_STOPPED.set(stopped)


def request_answered(method: str, route: str, status: int, seconds: float | None) -> None:
    """Count a request by its route's template; `seconds` is None for an event stream, whose duration says nothing."""
    _REQUESTS.labels(method, route, status).inc()
    if seconds is not None:
        _SECONDS.labels(method, route).observe(seconds)
