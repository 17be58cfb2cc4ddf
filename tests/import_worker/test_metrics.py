"""A worker's metrics, served with its health."""

from collections.abc import Callable

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from import_worker import metrics
from import_worker.health import serve_health
from import_worker.slots import Slots
from shared.runtime.readiness import PartDownError, Readiness


async def _fine() -> None:
    return


async def _away() -> None:
    raise PartDownError("not connected")


async def test_a_worker_exposes_its_slots_its_parts_and_the_queues_time(
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    """Without RabbitMQ it is not connected; that is a figure, and the request succeeds."""
    port, slots = unused_tcp_port_factory(), Slots(3)
    readiness = Readiness({"database": _fine, "rabbitmq": _away})
    metrics.claimed(42.0)
    async with (
        serve_health(port, readiness, slots),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as response,
    ):
        assert response.status == 200
        text = await response.text()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    values = {(sample.name, *sample.labels.values()): sample.value for sample in samples}
    assert (values["longshore_worker_slots",], values["longshore_worker_slots_busy",]) == (3, 0)
    assert values["longshore_worker_imports_idle",] == 0
    assert (values["longshore_up", "database"], values["longshore_up", "rabbitmq"]) == (1, 0)
    assert (
        values["longshore_import_queue_seconds_bucket", "60.0"]
        > values["longshore_import_queue_seconds_bucket", "15.0"]
    )
