"""Keys of the application and of its requests that belong to no room; each room's own are in its `keys.py`."""

from collections.abc import Mapping

from aiohttp import web

from api_service.auth.identity import Identity
from api_service.web.draining import Draining
from api_service.web.route import Handler, Route
from shared.db.database import Database
from shared.db.notifications import Notifications
from shared.registry.client import Registries, Registry
from shared.runtime.readiness import Readiness
from shared.target.management import TargetManagement

ROUTES: web.AppKey[Mapping[Handler, Route]] = web.AppKey("ROUTES", Mapping)
DESCRIPTION = web.AppKey("DESCRIPTION", bytes)
DATABASE = web.AppKey("DATABASE", Database)
NOTIFICATIONS = web.AppKey("NOTIFICATIONS", Notifications)
SOURCES = web.AppKey("SOURCES", Registries)
TARGET = web.AppKey("TARGET", Registry)
MANAGEMENT: web.AppKey[TargetManagement] = web.AppKey("MANAGEMENT")
READINESS = web.AppKey("READINESS", Readiness)
DRAINING = web.AppKey("DRAINING", Draining)

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
IDENTITY = web.RequestKey("IDENTITY", Identity)
PROBLEM_CODE = web.RequestKey("PROBLEM_CODE", str)
IMPORT_NAME = web.RequestKey("IMPORT_NAME", str)
