"""AppKeys of the audit log."""

from collections.abc import Sequence

from aiohttp import web

from api_service.audit.address import Network
from api_service.audit.read_events import AuditReader
from api_service.audit.write_events import AuditWriter

AUDIT_WRITER = web.AppKey("AUDIT_WRITER", AuditWriter)
AUDIT_READER = web.AppKey("AUDIT_READER", AuditReader)
PROXIES: web.AppKey[Sequence[Network]] = web.AppKey("PROXIES", Sequence)
