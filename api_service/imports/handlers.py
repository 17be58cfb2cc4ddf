"""HTTP handlers: start, cancel and retry an import, and report on one."""

from aiohttp import web

from api_service.audit.note import note_variant
from api_service.images.answers import details_json
from api_service.images.keys import DETAILS
from api_service.imports.answers import (
    admission_json,
    dry_run_json,
    import_answer_json,
    report_answer_json,
    rule_check_json,
    terms_json,
)
from api_service.imports.keys import (
    ADMITTER,
    BEGINNER,
    CANCELLER,
    PREVIEWER,
    REPORT_APPLIER,
    RETRIER,
    RULE_CHECKER,
    STARTER,
)
from api_service.imports.name import is_import_name
from api_service.imports.request import ImportRequest, RetryRequest, RuleCheckRequest
from api_service.imports.requests import ImportSchema, RetrySchema, RuleCheckSchema
from api_service.web.answers import json_answer
from api_service.web.keys import IDENTITY, IMPORT_NAME
from api_service.web.requests import MAX_REPORT_BODY, read_body, read_id
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.attempt_start import AttemptStart, AttemptStartSchema, ImageAdmission, ImageAdmissionSchema
from shared.messages.progress_report import ProgressReport, ProgressReportSchema

# Created once: creating a schema costs more than reading a body with it.
_IMPORT = ImportSchema()
_RETRY = RetrySchema()
_RULE_CHECK = RuleCheckSchema()
_REPORT = ProgressReportSchema()
_START = AttemptStartSchema()
_ADMISSION = ImageAdmissionSchema()


async def import_handler(request: web.Request) -> web.Response:
    """POST /images:import, with and without `dryRun`."""
    body: ImportRequest = await read_body(request, _IMPORT)
    if body.dry_run:
        note_variant("dryRun")
        return json_answer(dry_run_json(await request.app[PREVIEWER].preview(body, request[IDENTITY])))
    answer = await request.app[STARTER].start(body, request[IDENTITY])
    request[IMPORT_NAME] = answer.name
    return json_answer(import_answer_json(answer))


async def check_rules_handler(request: web.Request) -> web.Response:
    """POST /import-rules:check."""
    body: RuleCheckRequest = await read_body(request, _RULE_CHECK)
    note_variant("check")
    return json_answer(rule_check_json(await request.app[RULE_CHECKER].check(body, request[IDENTITY])))


async def cancel_handler(request: web.Request) -> web.Response:
    """POST /images/:id/importing:cancel."""
    image_id = read_id(request, Code.IMAGE_NOT_FOUND)
    await request.app[CANCELLER].cancel(image_id, request[IDENTITY])
    return json_answer(details_json(await request.app[DETAILS].read(image_id, request[IDENTITY])))


async def retry_handler(request: web.Request) -> web.Response:
    """POST /images/:id/importing:retry."""
    image_id = read_id(request, Code.IMAGE_NOT_FOUND)
    body: RetryRequest = await read_body(request, _RETRY) if request.can_read_body else RetryRequest()
    return json_answer(import_answer_json(await request.app[RETRIER].retry(image_id, body, request[IDENTITY])))


async def begin_handler(request: web.Request) -> web.Response:
    """POST /images:import/:name/begin."""
    name = _import_name(request)
    start: AttemptStart = await read_body(request, _START)
    return json_answer(terms_json(await request.app[BEGINNER].begin(name, start)))


async def admit_handler(request: web.Request) -> web.Response:
    """POST /images:import/:name/admit."""
    name = _import_name(request)
    admission: ImageAdmission = await read_body(request, _ADMISSION)
    return json_answer(admission_json(await request.app[ADMITTER].admit(name, admission)))


async def progress_handler(request: web.Request) -> web.Response:
    """PUT /images:import/:name/progress."""
    name = _import_name(request)
    report: ProgressReport = await read_body(request, _REPORT, limit=MAX_REPORT_BODY)
    return json_answer(report_answer_json(await request.app[REPORT_APPLIER].apply(name, report)))


def _import_name(request: web.Request) -> str:
    """Return the name in the path; raises `import_not_found` for a text that cannot be one."""
    name = request.match_info["name"]
    if not is_import_name(name):
        raise LongshoreError(Code.IMPORT_NOT_FOUND, "No import can have this name.")
    request[IMPORT_NAME] = name
    return name
