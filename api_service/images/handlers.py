"""Handlers about images: the list, one image, its import's details, its deletion."""

from contextlib import aclosing, suppress
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp_sse import EventSourceResponse

from api_service.images.answers import details_json, image_json, page_json
from api_service.images.import_details import ImportDetails
from api_service.images.keys import DELETION, DETAILS, FEED, IMAGE, IMAGES
from api_service.images.list_images import ImageQuery
from api_service.images.requests import ImageQuerySchema
from api_service.web.answers import json_answer, json_text
from api_service.web.keys import IDENTITY
from api_service.web.middlewares.auth import is_still_valid
from api_service.web.requests import read_id, read_query
from shared.errors.codes import Code

EVENT = "details"
EVENT_STREAM = "text/event-stream"
# Reconnection times of an event stream: after a break, and above the limit of streams. Milliseconds.
RETRY = 2_000
RETRY_WHEN_FULL = 10_000
# Comments that keep proxies from closing a quiet stream, which they do after 30 seconds or more. Seconds.
PING_INTERVAL = 10.0
# A reader that receives nothing for this long has disconnected. Seconds.
SEND_TIMEOUT = 30.0

# The contract defines an empty body; this header has what was removed from the target: manifest, tag or nothing.
REMOVED_HEADER = "X-Longshore-Removed"

UNKNOWN = Code.IMAGE_NOT_FOUND

# Created once: creating a schema costs three times as much as reading a query with it.
_LIST_QUERY = ImageQuerySchema()


async def list_handler(request: web.Request) -> web.Response:
    """GET /images."""
    query: ImageQuery = read_query(request.rel_url.raw_query_string, _LIST_QUERY)
    return json_answer(page_json(await request.app[IMAGES].read(query, request[IDENTITY])))


async def get_handler(request: web.Request) -> web.Response:
    """GET /images/:id."""
    image = await request.app[IMAGE].read(read_id(request, UNKNOWN), request[IDENTITY])
    return json_answer(image_json(image))


async def delete_handler(request: web.Request) -> web.Response:
    """DELETE /images/:id."""
    removal = await request.app[DELETION].delete(read_id(request, UNKNOWN), request[IDENTITY])
    return web.Response(headers={REMOVED_HEADER: removal.value})


async def details_handler(request: web.Request) -> web.StreamResponse:
    """GET /images/:id/importing-details, once or as an event stream."""
    image_id = read_id(request, UNKNOWN)
    if request.method == hdrs.METH_GET and EVENT_STREAM in request.headers.get(hdrs.ACCEPT, "").lower():
        return await _stream(request, image_id)
    return json_answer(details_json(await request.app[DETAILS].read(image_id, request[IDENTITY])))


async def _stream(request: web.Request, image_id: int) -> web.StreamResponse:
    feed = request.app[FEED]
    with feed.reserve() as admitted:
        # Read before the stream begins, so that an unknown image gets the usual error.
        first = await feed.read(image_id, request[IDENTITY])
        if first.final and request.headers.get("Last-Event-ID") == first.version:
            # A browser reconnects after the end; this status makes it stop (HTML, server-sent events).
            return web.Response(status=HTTPStatus.NO_CONTENT)
        response = EventSourceResponse(ping_interval=PING_INTERVAL, send_timeout=SEND_TIMEOUT)
        await response.prepare(request)
        # A reader that disconnects ends its stream.
        with suppress(ConnectionError, TimeoutError):
            async with response:
                await _send(response, first, retry=RETRY if admitted else RETRY_WHEN_FULL)
                if admitted:
                    await _send_changes(request, response, image_id, first)
    return response


async def _send_changes(
    request: web.Request, response: EventSourceResponse, image_id: int, first: ImportDetails
) -> None:
    async def wanted() -> bool:
        # A stream outlives its request: its token may be revoked, or expire.
        return response.is_connected() and await is_still_valid(request)

    feed = request.app[FEED]
    async with aclosing(feed.follow(image_id, request[IDENTITY], first, wanted=wanted)) as news:
        async for details in news:
            await _send(response, details)


async def _send(response: EventSourceResponse, details: ImportDetails, *, retry: int | None = None) -> None:
    await response.send(json_text(details_json(details)), id=details.version, event=EVENT, retry=retry)
