"""A worker's life: what it opens, what it runs, and how it stops without losing an import."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import structlog

from import_worker import metrics
from import_worker.adapters.api_client import ApiClient, open_api_client
from import_worker.adapters.postgres_ledger import PostgresLedger
from import_worker.adapters.registry_target import RegistryTarget
from import_worker.adapters.stream_target import RegistryStreamTarget
from import_worker.admission import Admission
from import_worker.consumer import Consumer
from import_worker.engine.docker_engine import DockerEngine
from import_worker.engine.source import EngineSource
from import_worker.health import serve_health
from import_worker.readiness import part_checks
from import_worker.reporter import Reporter
from import_worker.run_import import Ends, run_import
from import_worker.settings import WorkerSettings
from import_worker.slots import Slots
from shared.db import blob_transfers as flights
from shared.db.database import Database, open_database
from shared.db.import_states import ClaimedImport, claim
from shared.db.notifications import Notifications
from shared.db.registry_limits import RegistryLimits
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.messages.wake_up import WakeUp
from shared.model.sealed_account import open_account
from shared.oci.engine_image import parse_source
from shared.oci.reference import Reference
from shared.rate_limits.lanes import PoolLease
from shared.rate_limits.limits import Limits
from shared.registry.client import Registries, Registry, open_registries
from shared.registry.repository import Repository
from shared.registry.source import RegistrySource
from shared.runtime.concurrency import cancel_all, gather_all
from shared.runtime.readiness import Readiness
from shared.runtime.supervise import running
from shared.target.management import TargetManagement
from shared.target.open_target import open_target
from shared.tracing.spans import Kind, entry

# Claims and the blob ledger are short statements; one connection each for a few imports at a time.
DATABASE_CONNECTIONS = 4
# Reports within one lease; two may be lost before it runs out.
REPORTS_PER_LEASE = 3

# An import that so many workers were lost with is suspected to be why, and runs alone from then on: what ran beside it
# would be lost with it each time, and fail for its sake in the end. One lost worker is no suspicion: that happens to
# all its imports whenever a machine ends.
SUSPECTED_AFTER = 2

# Opens the way to the API: its address, and a worker's token.
OpenApi = Callable[[str, str], AbstractAsyncContextManager[ApiClient]]

_log = structlog.stdlib.get_logger(__name__)


class Worker:
    """Runs imports in its slots, as the queue wakes it."""

    def __init__(
        self,
        settings: WorkerSettings,
        database: Database,
        api: ApiClient,
        *,
        sources: Registries,
        targets: Registries,
        management: TargetManagement,
        limits: Limits,
        notifications: Notifications,
    ) -> None:
        self._settings = settings
        self._database = database
        self._api = api
        self._sources = sources
        self._targets = targets
        self._management = management
        self._limits = limits
        self._notifications = notifications
        self._stopping = False
        self.slots = Slots(settings.slots)
        self.consumer = Consumer(settings.shared.amqp_url, self.slots, self.take)
        self.readiness = Readiness(part_checks(database, self.consumer, api, management))

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; then finish or hand back what is running."""
        consuming = asyncio.create_task(self.consumer.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if consuming.done():
                consuming.result()  # It ends only by failing, and then the process has to.
        finally:
            self._stopping = True
            self.readiness.stop()
            # Side by side: a consumer that lost its cancellation must not hold the hand-over up.
            await gather_all([cancel_all([consuming, stopping]), self._finish_or_hand_back()])

    async def take(self, wake_up: WakeUp) -> bool:
        """Claim the import and start it; False where there is nothing to claim."""
        if self._stopping:
            raise asyncio.CancelledError
        told = {"longshore.import": wake_up.import_name, "longshore.worker": self._settings.name}
        with entry("claim import", Kind.CONSUMER, wake_up.traceparent, told) as span:
            async with self._database.connection() as connection:
                claimed = await claim(
                    connection, wake_up.import_name, worker=self._settings.name, lease=self._settings.lease
                )
            span.note({"longshore.claimed": claimed is not None})
            if claimed:
                self._start(claimed)
        return claimed is not None

    def _start(self, claimed: ClaimedImport) -> None:
        metrics.claimed(claimed.waited)
        heartbeat = self._settings.lease / REPORTS_PER_LEASE
        reporter = Reporter(self._api, claimed.name, claimed.attempt, heartbeat=heartbeat)
        self.slots.start(
            run_import(claimed, self._open_ends, reporter, layers=self._settings.layers),
            name=claimed.name,
            alone=_suspected(claimed),
        )

    def _open_ends(self, claimed: ClaimedImport) -> Ends:
        settings = self._settings.shared.target
        target = self._targets.registry(settings.host, settings.credential)
        repository = target.repository(claimed.repository)
        end = RegistryTarget(repository)
        ledger = PostgresLedger(self._database, self._notifications, settings.host, claimed)
        source, registries = self._source(claimed, repository)
        registries = (*registries, target)
        return Ends(
            source=source,
            target=end,
            ledger=ledger,
            admission=Admission(management=self._management, repository=claimed.repository, target=end, ledger=ledger),
            check_import_allowed=partial(self._check_import_allowed, claimed, registries),
            streams=self._streams(registries),
        )

    async def _check_import_allowed(self, claimed: ClaimedImport, registries: Sequence[Registry]) -> None:
        if _suspected(claimed):
            _log.warning("import runs alone: it was with workers that were lost", lost=claimed.lost)
            await self.slots.wait_alone()
        await gather_all([registry.check_import_allowed() for registry in registries])

    def _streams(self, registries: Sequence[Registry]) -> PoolLease:
        """Return what takes a place at every end at once, of those that all imports of this worker have together."""
        per_host = self._settings.host_streams
        return self._limits.lanes.lease(
            *(lane for registry in registries for lane in registry.limits.stream_lanes(per_host))
        )

    def _source(
        self, claimed: ClaimedImport, target: Repository
    ) -> tuple[RegistrySource | EngineSource, Sequence[Registry]]:
        """Return the source, and the registry that it is in, unless it is on an engine."""
        source = parse_source(claimed.source)
        if isinstance(source, Reference):
            credential = open_account(self._settings.shared.secrets, claimed.credentials)
            registry = self._sources.registry(source.registry, credential)
            return RegistrySource(self._sources, source, credential), (registry,)
        if self._settings.docker_host is None:
            raise LongshoreError(Code.DOCKER_SOURCE_DISABLED, "The worker that took the import has no DOCKER_HOST.")
        engine = EngineSource(
            engine=DockerEngine(self._settings.docker_host),
            name=source.name,
            target=RegistryStreamTarget(target),
            compression=self._settings.compression,
        )
        return engine, ()

    async def _finish_or_hand_back(self) -> None:
        running = self.slots.running
        if running:
            _log.info("stopping", imports=len(running), grace=self._settings.stop_grace)
            await asyncio.wait(running, timeout=self._settings.stop_grace)
            await cancel_all(running)
        _log.info("stopped")


def _suspected(claimed: ClaimedImport) -> bool:
    return claimed.lost >= SUSPECTED_AFTER


@asynccontextmanager
async def open_worker(settings: WorkerSettings, open_api: OpenApi = open_api_client) -> AsyncIterator[Worker]:
    """Open all that a worker needs, and its health endpoint if it has a port."""
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
        notifications = Notifications(shared.database_url, (flights.CHANNEL,))
        await stack.enter_async_context(running("notifications", notifications.run))
        worker = Worker(
            settings,
            database,
            api,
            sources=sources,
            targets=targets,
            management=management,
            limits=limits,
            notifications=notifications,
        )
        if settings.health_port:
            await stack.enter_async_context(serve_health(settings.health_port, worker.readiness, worker.slots))
        yield worker
