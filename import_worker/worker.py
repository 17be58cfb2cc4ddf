"""A worker process: what it opens, how it claims and runs imports, and how it stops without losing one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

import structlog

from import_worker import metrics
from import_worker.adapters.api_client import ApiClient, open_api_client
from import_worker.attempt import Attempt
from import_worker.consumer import Consumer
from import_worker.endpoints import CopyEndpoints
from import_worker.health import serve_health
from import_worker.open_endpoints import EndpointOpener
from import_worker.readiness import part_checks
from import_worker.reporter import Reporter
from import_worker.run_import import run_import
from import_worker.settings import WorkerSettings
from import_worker.slots import Slot, Slots
from shared.db import blob_transfers
from shared.db.database import open_database
from shared.db.import_states import ClaimedImport, claim_next
from shared.db.notifications import Notifications
from shared.db.registry_limits import RegistryLimits
from shared.errors.codes import Side
from shared.messages.wake_up import WakeUp
from shared.rate_limits.limits import Limits
from shared.registry.client import open_registries
from shared.runtime.concurrency import cancel_all, gather_all
from shared.runtime.readiness import Readiness
from shared.runtime.supervise import running
from shared.target.open_target import open_target
from shared.tracing.spans import Kind, entry

# Claims and the blob ledger are short statements; one connection each for a few imports at a time.
DATABASE_CONNECTIONS = 4
# Reports within one lease; two may be lost before it runs out.
REPORTS_PER_LEASE = 3

# An import that this many workers were lost with may be the cause, and runs alone from then on: otherwise the imports
# beside it would be lost each time, and fail in the end although they are sound. One lost worker is no reason: all of
# its imports count it, whenever a machine ends.
ALONE_AFTER_LOST = 2

# Opens a client of the API at an address, with a worker's token.
OpenApi = Callable[[str, str], AbstractAsyncContextManager[ApiClient]]

_log = structlog.stdlib.get_logger(__name__)


class Worker:
    """Claims due imports when the queue wakes it or a slot becomes free, and runs them in its slots."""

    def __init__(self, settings: WorkerSettings, api: ApiClient, endpoints: EndpointOpener) -> None:
        self._settings = settings
        self._database = endpoints.database
        self._api = api
        self._endpoints = endpoints
        self._stopping = False
        self.slots = Slots(settings.slots, reserved=settings.reserved_slots)
        self.consumer = Consumer(settings.shared.amqp_url, self.slots, self.claim_and_start)
        self.readiness = Readiness(part_checks(endpoints.database, self.consumer, api, endpoints.management))

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then finish or hand back the running imports."""
        consuming = asyncio.create_task(self.consumer.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if consuming.done():
                consuming.result()  # It ends only by failing, and then the process has to end as well.
        finally:
            self._stopping = True
            self.readiness.stop()
            # At the same time: a consumer that lost its cancellation must not delay the hand-over.
            await gather_all([cancel_all([consuming, stopping]), self._finish_or_hand_back()])

    async def claim_and_start(self, wake_up: WakeUp | None) -> bool:
        """Claim the import whose turn it is and start it, woken by a message or not; returns False if none is due.

        Messages only wake workers up: the import is often another than that of the message.
        """
        if self._stopping:
            raise asyncio.CancelledError
        async with self._database.connection() as connection:
            claimed = await claim_next(
                connection,
                worker=self._settings.name,
                lease=self._settings.lease,
                # Reserved slots are for users who have no import running.
                most_running=1 if self.slots.full else self._settings.most_running,
            )
        if claimed:
            values = {"longshore.import": claimed.name, "longshore.worker": self._settings.name}
            is_announced = wake_up is not None and wake_up.import_name == claimed.name
            parent = wake_up.traceparent if wake_up and is_announced else claimed.traceparent
            with entry("claim import", Kind.CONSUMER, parent, values):
                self._start(claimed)
        return claimed is not None

    def _start(self, claimed: ClaimedImport) -> None:
        metrics.claimed(claimed.waited)
        heartbeat = self._settings.lease / REPORTS_PER_LEASE
        reporter = Reporter(
            self._api, claimed.name, claimed.attempt, heartbeat=heartbeat, claim_token=claimed.claim_token
        )
        slot = Slot(self.slots)
        self.slots.start(
            run_import(claimed, partial(self._open_endpoints, slot), reporter, layers=self._settings.layers),
            name=claimed.name,
            slot=slot,
            alone=_runs_alone(claimed),
        )

    async def _open_endpoints(self, slot: Slot, claimed: ClaimedImport) -> CopyEndpoints:
        attempt = Attempt(api=self._api, name=claimed.name, number=claimed.attempt, claim_token=claimed.claim_token)
        endpoints = replace(self._endpoints.open(claimed, attempt, await attempt.begin()), slot=slot)

        async def wait_alone_then_check() -> None:
            _log.warning("import.runs_alone", lost_workers=claimed.lost)
            await self.slots.wait_alone()
            await endpoints.check_import_allowed()

        return replace(endpoints, check_import_allowed=wait_alone_then_check) if _runs_alone(claimed) else endpoints

    async def _finish_or_hand_back(self) -> None:
        running = self.slots.running
        if running:
            _log.info("worker.stopping", imports=len(running), grace=self._settings.stop_grace)
            await asyncio.wait(running, timeout=self._settings.stop_grace)
            await cancel_all(running)
        _log.info("worker.stopped")


def _runs_alone(claimed: ClaimedImport) -> bool:
    return claimed.lost >= ALONE_AFTER_LOST


@asynccontextmanager
async def open_worker(settings: WorkerSettings, open_api: OpenApi = open_api_client) -> AsyncIterator[Worker]:
    """Open everything that a worker needs, and its health endpoint if it has a port."""
    shared = settings.shared
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                shared.database_url, application=f"longshore-worker {settings.name}", size=DATABASE_CONNECTIONS
            )
        )
        api = await stack.enter_async_context(open_api(settings.api_url, settings.api_token))
        limits = Limits(RegistryLimits(database))
        sources = await stack.enter_async_context(open_registries(shared.source_network, Side.SOURCE, limits))
        targets = await stack.enter_async_context(open_registries(shared.target_network, Side.TARGET, limits))
        management = await stack.enter_async_context(open_target(shared.target, shared.target_network))
        notifications = Notifications(shared.database_url, (blob_transfers.CHANNEL,))
        await stack.enter_async_context(running("notifications", notifications.run))
        endpoints = EndpointOpener(
            settings=settings,
            database=database,
            notifications=notifications,
            sources=sources,
            targets=targets,
            management=management,
            limits=limits,
        )
        worker = Worker(settings, api, endpoints)
        if settings.health_port:
            await stack.enter_async_context(serve_health(settings.health_port, worker.readiness, worker.slots))
        yield worker
