"""Imports: start, cancel and retry one, and take in what its worker reports."""

from aiohttp import web

from api_service.images.import_details import read_details
from api_service.imports.cancel import cancel_import
from api_service.imports.keys import DRY_RUN, IMPORTER, REPORTING, RETRY
from api_service.imports.name import is_import_name
from api_service.imports.request import ImportRequest
from api_service.imports.requests import ImportSchema
from api_service.imports.retry import RetryRequest
from api_service.imports.retry_schema import RetrySchema
from api_service.web.keys import DATABASE, IDENTITY, IMPORT_NAME
from api_service.web.path_id import read_id
from api_service.web.request_body import MAX_REPORT_BODY, read_body
from api_service.web.responses import json_answer
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ProgressReportSchema

# Made once: making a schema costs more than reading a body with it.
_IMPORT = ImportSchema()
_REPORT = ProgressReportSchema()


async def import_handler(request: web.Request) -> web.Response:
    """POST /images:import, or what it would do."""
    wanted: ImportRequest = await read_body(request, _IMPORT)
    if wanted.dry_run:
        return json_answer(await request.app[DRY_RUN].preview(wanted, request[IDENTITY]))
    answer = await request.app[IMPORTER].start(wanted, request[IDENTITY])
    request[IMPORT_NAME] = answer.name
    return json_answer(answer.to_json())


async def cancel_handler(request: web.Request) -> web.Response:
    """POST /images/:id/importing:cancel."""
    image_id, database = read_id(request, Code.IMAGE_NOT_FOUND), request.app[DATABASE]
    await cancel_import(database, image_id, request[IDENTITY])
    return json_answer((await read_details(database, image_id)).body)


async def retry_handler(request: web.Request) -> web.Response:
    """POST /images/:id/importing:retry."""
    image_id = read_id(request, Code.IMAGE_NOT_FOUND)
    wanted: RetryRequest = await read_body(request, RetrySchema()) if request.can_read_body else RetryRequest()
    answer = await request.app[RETRY].retry(image_id, wanted, request[IDENTITY])
    return json_answer(answer.to_json())


async def progress_handler(request: web.Request) -> web.Response:
    """PUT /images:import/:name/progress."""
    name = request.match_info["name"]
    if not is_import_name(name):
        raise LongshoreError(Code.IMPORT_NOT_FOUND, "No import can have this name.")
    request[IMPORT_NAME] = name
    report: ProgressReport = await read_body(request, _REPORT, limit=MAX_REPORT_BODY)
    action = await request.app[REPORTING].take(name, report)
    return json_answer({"action": action.value})
