"""GET /metrics: the process's counters, and the state of the database and the parts, in Prometheus's text format."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api_service.metrics.events import EVENTS
from api_service.metrics.families import render
from shared.db.database import Database
from shared.db.queue_status import QueueStatus, queue_status
from shared.errors.error import LongshoreError
from shared.runtime.readiness import Readiness

# The database is read at most once in this time, however many servers scrape. Seconds; below the usual interval of 15.
CACHED_FOR = 5.0
# Prometheus gives up after ten seconds. Seconds.
DEADLINE = 2.5
# Throttled registries that are named: those whose limits last longest. More would be many series for one cause.
NAMED_REGISTRIES = 20

_logger = structlog.get_logger(__name__)


class Exposition:
    """The metrics of one API instance."""

    def __init__(self, database: Database, readiness: Readiness) -> None:
        self._database = database
        self._readiness = readiness
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self._cached = b""

    async def text(self) -> bytes:
        """Return all metrics; a part that is down is a metric of its own and hides no other."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._read_at >= CACHED_FOR:
                self._cached = await self._read()
                self._read_at = now
        return generate_latest(EVENTS) + self._cached

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
            # A schema of another version, for example: the counters are still served.
            _logger.exception("metrics.failed")
            return None


@asynccontextmanager
async def serve_metrics(host: str, port: int, exposition: Exposition) -> AsyncIterator[None]:
    """Serve /metrics on this address while the block runs.

    The port is not the API's: the metrics describe all users' imports, and Prometheus sends no token.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await exposition.text(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
