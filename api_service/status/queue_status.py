"""The use case behind GET /operations: how the queue stands, and who works on it."""

from collections.abc import Mapping
from typing import Any

from api_service.background.broker import QueueDepth
from shared.db.database import Database
from shared.db.queue_status import BusyWorkers, QueueStatus, busy_workers, queue_status

# Workers and registries that are named; the numbers count all of them. More would be a list that nobody reads.
NAMED = 50


async def read_operations(database: Database, queue: QueueDepth | None) -> dict[str, Any]:
    """Return the answer's body; `queue` is what RabbitMQ last said, None where it says nothing."""
    async with database.connection() as connection:
        now = await queue_status(connection, registries=NAMED)
        busy = await busy_workers(connection, limit=NAMED)
    return {
        "imports": {state.value: number for state, number in now.imports.items()},
        "due": now.due,
        "oldestDueSeconds": round(now.oldest_due),
        "leasesExpired": now.expired,
        "outboxPending": now.unpublished,
        "outboxLagSeconds": round(now.outbox_lag),
        "workers": _workers(busy, queue),
        "broker": _broker(queue),
        "throttledRegistries": _throttled(now),
    }


def _workers(busy: BusyWorkers, queue: QueueDepth | None) -> Mapping[str, Any]:
    """A worker with a free slot has a consumer in RabbitMQ, so one that works and has room counts in both."""
    return {
        "busy": busy.total,
        "withRoom": queue.consumers if queue else None,
        "byName": [{"name": worker.name, "imports": worker.imports} for worker in busy.first],
    }


def _broker(queue: QueueDepth | None) -> Mapping[str, Any]:
    return {"connected": queue is not None, "messages": queue.messages if queue else None}


def _throttled(now: QueueStatus) -> list[Mapping[str, Any]]:
    return [
        {"host": held.host, "scope": held.scope, "resumesInSeconds": round(held.resumes_in), "share": held.share}
        for held in now.held
    ]
