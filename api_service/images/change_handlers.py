"""What an image's owner may do to it: delete it, cancel its import, try that again."""

from aiohttp import web

from api_service.images.import_details import read_details
from api_service.imports.cancel import cancel_import
from api_service.imports.retry import RetryRequest
from api_service.imports.retry_schema import RetrySchema
from api_service.web.keys import DATABASE, DELETION, IDENTITY, NOTIFICATIONS, RETRY
from api_service.web.path_id import read_id
from api_service.web.request_body import read_body
from api_service.web.responses import json_answer
from shared.db import outbox
from shared.errors.codes import Code

UNKNOWN = Code.IMAGE_NOT_FOUND
# The contract wants an empty body; what went from the target stands here: manifest, tag, or nothing.
REMOVED_HEADER = "X-Longshore-Removed"


async def delete_handler(request: web.Request) -> web.Response:
    """DELETE /images/:id."""
    removal = await request.app[DELETION].delete(read_id(request, UNKNOWN), request[IDENTITY])
    return web.Response(headers={REMOVED_HEADER: removal.value})


async def cancel_handler(request: web.Request) -> web.Response:
    """POST /images/:id/importing:cancel."""
    image_id, database = read_id(request, UNKNOWN), request.app[DATABASE]
    await cancel_import(database, image_id, request[IDENTITY])
    return json_answer((await read_details(database, image_id)).body)


async def retry_handler(request: web.Request) -> web.Response:
    """POST /images/:id/importing:retry."""
    image_id = read_id(request, UNKNOWN)
    wanted: RetryRequest = await read_body(request, RetrySchema()) if request.can_read_body else RetryRequest()
    answer = await request.app[RETRY].retry(image_id, wanted, request[IDENTITY])
    request.app[NOTIFICATIONS].hint(outbox.CHANNEL)
    return json_answer(answer.to_json())
