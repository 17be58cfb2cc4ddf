"""The application's keys for the use cases about imports."""

from aiohttp import web

from api_service.imports.apply_report import ReportApplier
from api_service.imports.attempt.admit import ImageAdmitter
from api_service.imports.attempt.begin import AttemptBeginner
from api_service.imports.cancel import ImportCanceller
from api_service.imports.check_rules import RuleChecker
from api_service.imports.dry_run.preview import ImportPreviewer
from api_service.imports.enqueue import ImportQueue
from api_service.imports.permission import ImportPermissions
from api_service.imports.retry import ImportRetrier
from api_service.imports.start import ImportStarter

PERMISSIONS = web.AppKey("PERMISSIONS", ImportPermissions)
QUEUE = web.AppKey("QUEUE", ImportQueue)
RULE_CHECKER = web.AppKey("RULE_CHECKER", RuleChecker)
STARTER = web.AppKey("STARTER", ImportStarter)
PREVIEWER = web.AppKey("PREVIEWER", ImportPreviewer)
CANCELLER = web.AppKey("CANCELLER", ImportCanceller)
RETRIER = web.AppKey("RETRIER", ImportRetrier)
REPORT_APPLIER = web.AppKey("REPORT_APPLIER", ReportApplier)
BEGINNER = web.AppKey("BEGINNER", AttemptBeginner)
ADMITTER = web.AppKey("ADMITTER", ImageAdmitter)
