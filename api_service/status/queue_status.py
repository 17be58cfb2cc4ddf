"""The use case behind GET /operations: the queue, and the workers that carry out its imports."""

from dataclasses import dataclass

from api_service.background.broker import QueueDepth
from api_service.background.relay import Relay
from shared.db.database import Database
from shared.db.queue_status import BusyWorkers, QueueStatus, busy_workers, queue_status

# Workers and registries in the answer; the counts cover all of them. People read no longer list.
NAMED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsReport:
    """The database's figures, and RabbitMQ's: `broker` is None while it is unreachable."""

    queue: QueueStatus
    workers: BusyWorkers
    broker: QueueDepth | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatusReader:
    """Reads figures about the service's own work."""

    database: Database
    relay: Relay

    async def read(self) -> OperationsReport:
        """Return the current figures; RabbitMQ's are those that the relay read last."""
        async with self.database.connection() as connection:
            queue = await queue_status(connection, registries=NAMED)
            workers = await busy_workers(connection, limit=NAMED)
        return OperationsReport(queue=queue, workers=workers, broker=self.relay.queue)
