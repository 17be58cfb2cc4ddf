"""What the application and its requests carry: every key in one place."""

from collections.abc import Mapping

from aiohttp import web

from api_service.config import Settings
from api_service.delete_image import ImageDeletion
from api_service.details_feed import DetailsFeed
from api_service.draining import Draining
from api_service.dry_run import DryRun
from api_service.find_source import SourceFinder
from api_service.harbor_stats import HarborStatistics
from api_service.identity import Identity
from api_service.import_image import ImageImporter
from api_service.jwt_verifier import JwtVerifier
from api_service.outbox import Relay
from api_service.presence import Presence
from api_service.report_progress import ProgressReporting
from api_service.retry_import import ImportRetry
from api_service.route import Handler, Route
from api_service.stored_registries import StoredRegistries
from api_service.token_lookup import TokenLookup
from shared.db.database import Database
from shared.db.notifications import Notifications
from shared.readiness import Readiness
from shared.registry.client import Registries, Registry
from shared.target.management import TargetManagement

SETTINGS = web.AppKey("SETTINGS", Settings)
ROUTES: web.AppKey[Mapping[Handler, Route]] = web.AppKey("ROUTES", Mapping)
DESCRIPTION = web.AppKey("DESCRIPTION", bytes)
DATABASE = web.AppKey("DATABASE", Database)
TOKENS = web.AppKey("TOKENS", TokenLookup)
NOTIFICATIONS = web.AppKey("NOTIFICATIONS", Notifications)
SOURCES = web.AppKey("SOURCES", Registries)
TARGET = web.AppKey("TARGET", Registry)
MANAGEMENT: web.AppKey[TargetManagement] = web.AppKey("MANAGEMENT")
PRESENCE = web.AppKey("PRESENCE", Presence)
IMPORTER = web.AppKey("IMPORTER", ImageImporter)
FINDER = web.AppKey("FINDER", SourceFinder)
DRY_RUN = web.AppKey("DRY_RUN", DryRun)
RETRY = web.AppKey("RETRY", ImportRetry)
DELETION = web.AppKey("DELETION", ImageDeletion)
STATISTICS = web.AppKey("STATISTICS", HarborStatistics)
REGISTRIES = web.AppKey("REGISTRIES", StoredRegistries)
REPORTING = web.AppKey("REPORTING", ProgressReporting)
JWT = web.AppKey("JWT", JwtVerifier)
FEED = web.AppKey("FEED", DetailsFeed)
RELAY = web.AppKey("RELAY", Relay)
READINESS = web.AppKey("READINESS", Readiness)
DRAINING = web.AppKey("DRAINING", Draining)

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
IDENTITY = web.RequestKey("IDENTITY", Identity)
PROBLEM_CODE = web.RequestKey("PROBLEM_CODE", str)
IMPORT_NAME = web.RequestKey("IMPORT_NAME", str)
