"""The text of /metrics: this process's counters, and what the database and the parts tell, kept for a moment."""

import asyncio

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api_service.metrics.events import EVENTS
from api_service.metrics.families import render
from shared.db.database import Database
from shared.db.queue_status import QueueStatus, queue_status
from shared.errors.error import LongshoreError
from shared.runtime.readiness import Readiness

CONTENT_TYPE = CONTENT_TYPE_LATEST
# However many scrape, the database is asked this often. Seconds; below the usual interval of 15.
KEPT = 5.0
# Prometheus gives up after ten. Seconds.
DEADLINE = 2.5
# Registries that hold back and are named; those that hold longest. More would be many series for one cause.
NAMED_REGISTRIES = 20

_logger = structlog.get_logger(__name__)


class Figures:
    """What one API instance tells Prometheus."""

    def __init__(self, database: Database, readiness: Readiness) -> None:
        self._database = database
        self._readiness = readiness
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._kept = b""

    async def text(self) -> bytes:
        """Return everything; a part that is away is a figure of its own and hides nothing else."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._read_at >= KEPT:
                self._kept = await self._read()
                self._read_at = now
        return generate_latest(EVENTS) + self._kept

    async def _read(self) -> bytes:
        (_, report), found = await asyncio.gather(self._readiness.report(), self._queue_status())
        parts = {name: bool(part["ready"]) for name, part in report["parts"].items()}
        return render({**parts, "figures": found is not None}, found)

    async def _queue_status(self) -> QueueStatus | None:
        try:
            async with asyncio.timeout(DEADLINE), self._database.connection() as connection:
                return await queue_status(connection, registries=NAMED_REGISTRIES)
        except (LongshoreError, TimeoutError):
            return None
        except Exception:
            # A schema of another version, for one: the counters are still to be seen.
            _logger.exception("figures.failed")
            return None
