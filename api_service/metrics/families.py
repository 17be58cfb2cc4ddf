"""The metrics that are read for each scrape: the health of the parts and the state of the queue."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from shared.db.queue_status import QueueStatus


def render(parts: Mapping[str, bool], status: QueueStatus | None) -> bytes:
    """Return the families as text; without a status those of the database are omitted, as old values would mislead."""
    families = [_parts(parts)]
    if status:
        families += [*_imports(status), *_held(status)]
    return generate_latest(_Fixed(families))


class _Fixed:
    """A collector of given families."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _parts(parts: Mapping[str, bool]) -> Metric:
    family = GaugeMetricFamily("longshore_up", "Whether a part works, as this process sees it.", labels=["part"])
    for part, up in parts.items():
        family.add_metric([part], up)
    return family


def _imports(status: QueueStatus) -> Iterator[Metric]:
    family = GaugeMetricFamily("longshore_imports_open", "Imports that have not ended.", labels=["state"])
    for state, number in sorted(status.imports.items()):
        family.add_metric([state.value], number)
    yield family
    for name, text, value in (
        ("longshore_imports_due", "Open imports that wait for nothing but a worker.", status.due),
        ("longshore_queue_oldest_seconds", "How long the oldest of them has waited.", status.oldest_due),
        ("longshore_leases_expired", "Running imports whose worker is silent.", status.expired),
        ("longshore_outbox_pending", "Messages that are due and not in RabbitMQ.", status.unpublished),
        ("longshore_outbox_lag_seconds", "How long the oldest of them has been due.", status.outbox_lag),
        ("longshore_registries_throttled", "Registries and scopes that a rate limit holds.", status.held_registries),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _held(status: QueueStatus) -> Iterator[Metric]:
    labels = ["registry", "scope"]
    seconds = GaugeMetricFamily("longshore_registry_throttled_seconds", "Until a rate limit ends.", labels=labels)
    share = GaugeMetricFamily(
        "longshore_registry_share_ratio", "What part of the usual is done at a time after it.", labels=labels
    )
    for held in status.held:
        seconds.add_metric([held.host, held.scope], held.resumes_in)
        share.add_metric([held.host, held.scope], held.share)
    yield from (seconds, share)
