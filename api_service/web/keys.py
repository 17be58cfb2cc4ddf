"""What the application and its requests carry: every key in one place."""

from collections.abc import Mapping

from aiohttp import web

from api_service.auth.identity import Identity
from api_service.auth.jwt_verifier import JwtVerifier
from api_service.auth.token_lookup import TokenLookup
from api_service.background.relay import Relay
from api_service.images.deletion.delete_image import ImageDeletion
from api_service.images.import_feed import DetailsFeed
from api_service.images.verify_tag import Presence
from api_service.imports.apply_report import ProgressReporting
from api_service.imports.dry_run.preview import DryRun
from api_service.imports.retry import ImportRetry
from api_service.imports.source.find import SourceFinder
from api_service.imports.start import ImageImporter
from api_service.registries.stored_registries import StoredRegistries
from api_service.settings import Settings
from api_service.status.target_statistics import HarborStatistics
from api_service.web.draining import Draining
from api_service.web.route import Handler, Route
from shared.db.database import Database
from shared.db.notifications import Notifications
from shared.registry.client import Registries, Registry
from shared.runtime.readiness import Readiness
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
