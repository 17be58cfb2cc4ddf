"""Opens the endpoints of a claimed import: the one place that knows the kinds of sources."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from import_worker.adapters.postgres_ledger import PostgresLedger
from import_worker.adapters.registry_target import RegistryTarget
from import_worker.adapters.tag_ledger import PostgresTagLedger
from import_worker.adapters.upload_log import PostgresUploadLog
from import_worker.admission import Admission
from import_worker.attempt import Attempt
from import_worker.copying.pace import Line, Pace
from import_worker.copying.rates import TransferRates
from import_worker.endpoints import CopyEndpoints, ImportSource, RegistryImage
from import_worker.engine.docker_engine import DockerEngine
from import_worker.engine.source import EngineImage
from import_worker.settings import WorkerSettings
from shared.db.database import Database
from shared.db.import_states import ClaimedImport
from shared.db.notifications import Notifications
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptTerms
from shared.model.blob_origin import NO_ORIGIN, BlobOrigin
from shared.oci.engine_image import parse_source
from shared.oci.reference import Reference
from shared.rate_limits.lanes import PoolLease
from shared.rate_limits.limits import Limits
from shared.registry.client import Registries, Registry
from shared.registry.source import RegistrySource
from shared.runtime.concurrency import gather_all
from shared.target.management import TargetManagement


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenedSource:
    """A source with the registries whose rate limits hold for it, and what its bytes prove."""

    source: ImportSource
    registries: Sequence[Registry] = ()
    origin: BlobOrigin = NO_ORIGIN


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointOpener:
    """The clients that all imports of a worker share."""

    settings: WorkerSettings
    database: Database
    notifications: Notifications
    sources: Registries
    targets: Registries
    management: TargetManagement
    limits: Limits
    line: Line = field(default_factory=Line)
    rates: TransferRates = field(default_factory=TransferRates)

    def open(self, claimed: ClaimedImport, attempt: Attempt, terms: AttemptTerms) -> CopyEndpoints:
        """Return the import's endpoints; nothing is requested yet. Raises `docker_source_disabled`."""
        settings = self.settings.shared.target
        target_registry = self.targets.registry(settings.host, settings.credential)
        uploads = PostgresUploadLog(
            database=self.database,
            registry=settings.host,
            repository=claimed.repository,
            import_name=claimed.name,
        )
        target = RegistryTarget(target_registry.repository(claimed.repository), uploads)
        opened = self._open_source(claimed, terms, target)
        ledger = PostgresLedger(self.database, self.notifications, settings.host, claimed, opened.origin)
        registries = (*opened.registries, target_registry)

        async def check_import_allowed() -> None:
            await gather_all([registry.check_import_allowed() for registry in registries])

        return CopyEndpoints(
            terms=terms,
            source=opened.source,
            target=target,
            ledger=ledger,
            tags=PostgresTagLedger(database=self.database, registry=settings.host, claimed=claimed),
            admission=Admission(
                attempt=attempt,
                terms=terms,
                management=self.management,
                repository=claimed.repository,
                target=target,
                ledger=ledger,
            ),
            check_import_allowed=check_import_allowed,
            settle=target.settle,
            streams=self._streams(registries, large=False),
            large_streams=self._streams(registries, large=True),
            pace=self._pace(terms),
            rate=self.rates.of(opened.origin.host, claimed.name),
            limits=self.settings.shared.plan_limits,
        )

    def _open_source(self, claimed: ClaimedImport, terms: AttemptTerms, target: RegistryTarget) -> _OpenedSource:
        source = parse_source(claimed.source)
        if isinstance(source, Reference):
            credential = terms.credential
            registry = self.sources.registry(source.registry, credential)
            image = RegistrySource(self.sources, source, credential)
            return _OpenedSource(
                source=RegistryImage(image, self.settings.shared.plan_limits),
                registries=(registry,),
                origin=BlobOrigin(host=source.registry, with_account=credential is not None),
            )
        if self.settings.docker_host is None:
            raise LongshoreError(Code.DOCKER_SOURCE_DISABLED, "The worker that took the import has no DOCKER_HOST.")
        engine = DockerEngine(self.settings.docker_host)
        engine_image = EngineImage(
            engine=engine,
            name=source.name,
            target=target,
            compression=self.settings.compression,
            limits=self.settings.shared.plan_limits,
        )
        return _OpenedSource(source=engine_image)

    def _pace(self, terms: AttemptTerms) -> Pace:
        """Return the pace of the import's transfers; an API of the last release does not send the time that is left."""
        left = terms.seconds_left
        return Pace(line=self.line, deadline=None if left is None else monotonic() + left)

    def _streams(self, registries: Sequence[Registry], *, large: bool) -> PoolLease:
        """Return a lease that takes one place at every end at once, out of those that all imports share."""
        per_host = self.settings.host_streams
        return self.limits.lanes.lease(
            *(lane for registry in registries for lane in registry.limits.stream_lanes(per_host, large=large))
        )
