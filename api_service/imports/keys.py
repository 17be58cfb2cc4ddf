"""The application's keys for the use cases about imports."""

from aiohttp import web

from api_service.imports.apply_report import ProgressReporting
from api_service.imports.dry_run.preview import DryRun
from api_service.imports.enqueue import ImportQueue
from api_service.imports.retry import ImportRetry
from api_service.imports.source.find import SourceFinder
from api_service.imports.start import ImageImporter

IMPORTER = web.AppKey("IMPORTER", ImageImporter)
FINDER = web.AppKey("FINDER", SourceFinder)
DRY_RUN = web.AppKey("DRY_RUN", DryRun)
RETRY = web.AppKey("RETRY", ImportRetry)
REPORTING = web.AppKey("REPORTING", ProgressReporting)
QUEUE = web.AppKey("QUEUE", ImportQueue)
