"""The parts of the application, in the order in which they start: each opens a resource or creates use cases."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeAlias

from aiohttp import web

from api_service.audit.keys import AUDIT_READER, AUDIT_WRITER, PROXIES
from api_service.audit.read_events import AuditReader
from api_service.audit.write_events import AuditWriter
from api_service.auth.issuer_keys import IssuerKeys
from api_service.auth.jwt_verifier import JwtVerifier
from api_service.auth.keys import JWT, TOKENS
from api_service.auth.token_lookup import TokenLookup
from api_service.background.deadlines import DeadlineKeeper
from api_service.background.purge import Purger
from api_service.background.reaper import Reaper
from api_service.background.relay import Relay
from api_service.background.uploads import UploadCleaner
from api_service.background.wake_ups import WakeUpRepeater
from api_service.images.answers import details_event
from api_service.images.deletion.carry_out import DeletionWork
from api_service.images.deletion.delete_image import ImageDeletion
from api_service.images.deletion.resume import DeletionResumer
from api_service.images.get_image import ImageReader
from api_service.images.import_details import ImportDetailsReader
from api_service.images.import_feed import ImportFeed
from api_service.images.keys import DELETION, DETAILS, FEED, IMAGE, IMAGES, VERIFIER, VISIBILITY
from api_service.images.late_writes.put_right import TagKeeper
from api_service.images.list_images import ImageLister
from api_service.images.patrol import TagPatrol
from api_service.images.verify_tag import TagVerifier
from api_service.images.visibility import ContentVisibility
from api_service.imports.apply_report import ReportApplier
from api_service.imports.attempt.admit import ImageAdmitter
from api_service.imports.attempt.begin import AttemptBeginner
from api_service.imports.attempt.check_rules import AttemptRules
from api_service.imports.cancel import ImportCanceller
from api_service.imports.check_rules import RuleChecker
from api_service.imports.dry_run.preview import ImportPreviewer
from api_service.imports.dry_run.target_contents import TargetInspector
from api_service.imports.enqueue import ImportQueue
from api_service.imports.keys import (
    ADMITTER,
    BEGINNER,
    CANCELLER,
    PERMISSIONS,
    PREVIEWER,
    QUEUE,
    REPORT_APPLIER,
    RETRIER,
    RULE_CHECKER,
    STARTER,
)
from api_service.imports.permission import ImportPermissions
from api_service.imports.retry import ImportRetrier
from api_service.imports.source.docker import DockerSources
from api_service.imports.source.find import SourceFinder
from api_service.imports.source.registry import RegistrySources
from api_service.imports.source.target_name import TargetNaming
from api_service.imports.start import ImportStarter
from api_service.imports.target_tag import TargetTags
from api_service.metrics.exposition import Exposition, serve_metrics
from api_service.registries.keys import PROBE, REGISTRIES
from api_service.registries.lookup import RegistryLookup
from api_service.registries.probe import RegistryProbe
from api_service.registries.stored_registries import StoredRegistries
from api_service.rules.keys import RULE_BOOK, RULES
from api_service.rules.rule_book import RuleBook
from api_service.rules.stored_rules import StoredRules
from api_service.settings import Settings
from api_service.status.keys import QUEUE_STATUS, RELAY, STATISTICS
from api_service.status.queue_status import QueueStatusReader
from api_service.status.readiness import OPTIONAL_PARTS, part_checks
from api_service.status.target_statistics import StatisticsReader
from api_service.tokens.api_tokens import ApiTokens
from api_service.tokens.keys import API_TOKENS
from api_service.web.keys import (
    DATABASE,
    DRAINING,
    MANAGEMENT,
    NOTIFICATIONS,
    READINESS,
    SOURCES,
    TARGET,
)
from shared.db import imports
from shared.db.database import open_database
from shared.db.notifications import Notifications
from shared.db.registry_limits import RegistryLimits
from shared.errors.codes import Side
from shared.http_client.session import open_outgoing
from shared.rate_limits.limits import Limits
from shared.registry.client import open_registries
from shared.runtime.readiness import Readiness
from shared.runtime.supervise import running
from shared.target.open_target import open_target

# Connections of one instance to PostgreSQL, without the listening one. Each background loop uses one at times.
POOL_SIZE = 20

# Only the parts read the settings: they pass to each use case the values that it needs.
SETTINGS = web.AppKey("SETTINGS", Settings)

Part: TypeAlias = Callable[[web.Application], AsyncIterator[None]]


async def database_part(app: web.Application) -> AsyncIterator[None]:
    """The pool of connections to PostgreSQL."""
    url = app[SETTINGS].shared.database_url
    async with open_database(url, application="longshore-api", size=POOL_SIZE) as database:
        app[DATABASE] = database
        app[TOKENS] = TokenLookup(database)
        yield


async def audit_part(app: web.Application) -> AsyncIterator[None]:
    """The audit log."""
    app[PROXIES] = app[SETTINGS].trusted_proxies
    app[AUDIT_READER] = AuditReader(database=app[DATABASE])
    app[AUDIT_WRITER] = writer = AuditWriter(app[DATABASE])
    yield
    await writer.close()


async def notifications_part(app: web.Application) -> AsyncIterator[None]:
    """The connection that listens for PostgreSQL's notifications."""
    url = app[SETTINGS].shared.database_url
    app[NOTIFICATIONS] = notifications = Notifications(url, (imports.CHANNEL,))
    async with running("notifications", notifications.run):
        yield


async def registry_clients_part(app: web.Application) -> AsyncIterator[None]:
    """The clients of source registries and of the target, which have different network policies."""
    settings = app[SETTINGS].shared
    limits = Limits(RegistryLimits(app[DATABASE]))
    async with (
        open_registries(settings.source_network, Side.SOURCE, limits) as sources,
        open_registries(settings.target_network, Side.TARGET, limits) as targets,
        open_target(settings.target, settings.target_network) as management,
    ):
        app[SOURCES] = sources
        app[TARGET] = targets.registry(settings.target.host, settings.target.credential)
        app[MANAGEMENT] = management
        yield


async def oidc_part(app: web.Application) -> AsyncIterator[None]:
    """The issuer of JWTs, if one is configured."""
    settings = app[SETTINGS].oidc
    if settings is None:
        yield
        return
    async with open_outgoing(settings.network) as outgoing:
        keys = IssuerKeys(outgoing, settings)
        app[JWT] = JwtVerifier(settings, keys)
        async with running("oidc", keys.run):
            yield


async def tokens_part(app: web.Application) -> AsyncIterator[None]:
    """The API tokens, which users create and revoke."""
    app[API_TOKENS] = ApiTokens(database=app[DATABASE], days=app[SETTINGS].token_days)
    yield


async def rules_part(app: web.Application) -> AsyncIterator[None]:
    """The import rules."""
    app[RULE_BOOK] = RuleBook(app[DATABASE])
    app[RULES] = StoredRules(database=app[DATABASE], book=app[RULE_BOOK])
    yield


async def imports_part(app: web.Application) -> AsyncIterator[None]:
    """Imports, and the stored registries that sources are read with."""
    settings, database, secrets = app[SETTINGS], app[DATABASE], app[SETTINGS].secrets
    finder = _add_registries(app)
    naming = TargetNaming(
        host=settings.target_name, project=settings.default_project, drop_host_for=settings.drop_host_for
    )
    app[PERMISSIONS] = permissions = ImportPermissions(
        book=app[RULE_BOOK], naming=naming, management=app[MANAGEMENT], max_open=settings.max_open_imports
    )
    app[VISIBILITY] = ContentVisibility(book=app[RULE_BOOK], names=permissions.names)
    app[RULE_CHECKER] = RuleChecker(finder=finder, naming=naming, permissions=permissions)
    app[QUEUE] = queue = ImportQueue(database=database, notifications=app[NOTIFICATIONS])
    app[VERIFIER] = TagVerifier(database=database, target=app[MANAGEMENT], registry_host=settings.target_name)
    tags = TargetTags(management=app[MANAGEMENT])
    app[STARTER] = ImportStarter(
        database=database,
        queue=queue,
        finder=finder,
        naming=naming,
        permissions=permissions,
        registry_host=settings.target_name,
        secrets=secrets,
        referrers=settings.referrers,
        verifier=app[VERIFIER],
        tags=tags,
    )
    app[PREVIEWER] = ImportPreviewer(
        database=database,
        finder=finder,
        naming=naming,
        permissions=permissions,
        target=app[TARGET],
        management=app[MANAGEMENT],
        tags=tags,
        inspector=TargetInspector(database=database, registry=settings.shared.target.host),
        referrers=settings.referrers,
        visibility=app[VISIBILITY],
        limits=settings.shared.plan_limits,
    )
    app[CANCELLER] = ImportCanceller(database=database)
    app[RETRIER] = ImportRetrier(
        database=database, queue=queue, finder=finder, permissions=permissions, secrets=secrets, tags=tags
    )
    _add_attempts(app, permissions, tags)
    yield


def _add_registries(app: web.Application) -> SourceFinder:
    """Add the stored registries; return what finds a source with their accounts."""
    settings, database = app[SETTINGS], app[DATABASE]
    secrets, network = settings.secrets, settings.shared.source_network
    stored = RegistryLookup(database)
    app[REGISTRIES] = StoredRegistries(database=database, lookup=stored, secrets=secrets, policy=network)
    app[PROBE] = RegistryProbe(database=database, sources=app[SOURCES], secrets=secrets)
    registries = RegistrySources(registries=app[SOURCES], stored=stored, secrets=secrets, network=network)
    return SourceFinder(kinds=(DockerSources(policy=settings.docker_source), registries))


def _add_attempts(app: web.Application, permissions: ImportPermissions, tags: TargetTags) -> None:
    """Add the use cases behind the requests of workers."""
    settings, database = app[SETTINGS], app[DATABASE]
    rules = AttemptRules(permissions=permissions)
    app[BEGINNER] = AttemptBeginner(
        database=database, tags=tags, rules=rules, secrets=settings.secrets, deadline=settings.deadline
    )
    app[ADMITTER] = ImageAdmitter(database=database, rules=rules)
    app[REPORT_APPLIER] = ReportApplier(
        database=database, queue=app[QUEUE], retries=settings.retries, lease=settings.lease
    )


async def images_part(app: web.Application) -> AsyncIterator[None]:
    """Images: the feed of their imports, their deletion, and the target's statistics."""
    settings = app[SETTINGS]
    app[IMAGES] = ImageLister(database=app[DATABASE], visibility=app[VISIBILITY])
    app[IMAGE] = ImageReader(database=app[DATABASE], visibility=app[VISIBILITY])
    app[DETAILS] = ImportDetailsReader(database=app[DATABASE], visibility=app[VISIBILITY])
    app[FEED] = ImportFeed(details=app[DETAILS], notifications=app[NOTIFICATIONS], write=details_event)
    work = DeletionWork(
        database=app[DATABASE],
        target=app[MANAGEMENT],
        registry_host=settings.target_name,
        registry=settings.shared.target.host,
    )
    app[DELETION] = ImageDeletion(work=work)
    app[STATISTICS] = StatisticsReader(
        database=app[DATABASE], target=app[MANAGEMENT], registry_host=settings.target_name
    )
    yield
    await app[FEED].close()
    await app[DELETION].close()
    await app[STATISTICS].close()


async def relay_part(app: web.Application) -> AsyncIterator[None]:
    """The relay, which publishes the outbox to RabbitMQ."""
    app[RELAY] = relay = Relay(app[SETTINGS].shared.amqp_url, app[DATABASE], app[NOTIFICATIONS])
    app[QUEUE_STATUS] = QueueStatusReader(database=app[DATABASE], relay=relay)
    async with running("relay", relay.run):
        yield


async def reaper_part(app: web.Application) -> AsyncIterator[None]:
    """The loops that take back the imports of lost workers, repeat lost wake-ups, and delete old rows.

    They are apart, so that a slow one does not keep leases from being taken back.
    """
    settings = app[SETTINGS]
    reaper = Reaper(app[QUEUE], settings.retries, grace=settings.lease)
    deadlines = DeadlineKeeper(app[DATABASE], deadline=settings.deadline)
    wake_ups = WakeUpRepeater(app[QUEUE])
    purger = Purger(app[DATABASE], audit_days=settings.audit_days)
    async with (
        running("reaper", reaper.run),
        running("deadlines", deadlines.run),
        running("wake_ups", wake_ups.run),
        running("purge", purger.run),
    ):
        yield


async def deletions_part(app: web.Application) -> AsyncIterator[None]:
    """The loops that resume interrupted deletions, put tags right, and cancel the uploads of ended imports."""
    finisher = DeletionResumer(app[DELETION].work)
    keeper = TagKeeper(app[DELETION].work, app[VERIFIER])
    cleaner = UploadCleaner(app[DATABASE], app[MANAGEMENT], registry=app[SETTINGS].shared.target.host)
    loops = (running("deletions", finisher.run), running("late_writes", keeper.run), running("uploads", cleaner.run))
    async with loops[0], loops[1], loops[2]:
        yield


async def patrol_part(app: web.Application) -> AsyncIterator[None]:
    """The loop that checks whether the target still serves the ready images."""
    patrol = TagPatrol(app[VERIFIER])
    async with running("patrol", patrol.run):
        yield


async def readiness_part(app: web.Application) -> AsyncIterator[None]:
    """The readiness that /readyz reports."""
    app[READINESS] = readiness = Readiness(
        part_checks(app[DATABASE], app[RELAY], app[MANAGEMENT]), optional=OPTIONAL_PARTS
    )
    app[DRAINING].attach(readiness)
    yield


async def metrics_part(app: web.Application) -> AsyncIterator[None]:
    """The metrics for Prometheus, if they have a port."""
    settings = app[SETTINGS]
    if settings.metrics_port is None:
        yield
        return
    async with serve_metrics(settings.host, settings.metrics_port, Exposition(app[DATABASE], app[READINESS])):
        yield


PARTS: Sequence[Part] = (
    database_part,
    audit_part,
    notifications_part,
    registry_clients_part,
    oidc_part,
    tokens_part,
    rules_part,
    imports_part,
    images_part,
    relay_part,
    reaper_part,
    deletions_part,
    patrol_part,
    readiness_part,
    metrics_part,
)
