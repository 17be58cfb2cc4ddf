"""Images: the list, one of them, how its import stands, and its deletion."""

from contextlib import aclosing, suppress
from http import HTTPStatus

import orjson
from aiohttp import hdrs, web
from aiohttp_sse import EventSourceResponse

from api_service.images.get_image import get_image
from api_service.images.import_details import ImportingDetails, read_details
from api_service.images.import_feed import DetailsFeed
from api_service.images.keys import DELETION, FEED
from api_service.images.list_images import list_images
from api_service.images.requests import ImageQuery, ImageQuerySchema
from api_service.web.keys import DATABASE, IDENTITY
from api_service.web.path_id import read_id
from api_service.web.request_body import read_query
from api_service.web.responses import json_answer
from shared.errors.codes import Code

EVENT = "details"
EVENT_STREAM = "text/event-stream"
# What an event stream's reader waits before it comes back: after a break, and when there was no place. Milliseconds.
RETRY = 2_000
RETRY_WHEN_FULL = 10_000
# Comments that keep proxies from closing a quiet stream, which they do after 30 seconds or more. Seconds.
PING_INTERVAL = 10.0
# A reader that takes nothing for this long has gone. Seconds.
SEND_TIMEOUT = 30.0

# The contract wants an empty body; what went from the target is in this header: manifest, tag, or nothing.
REMOVED_HEADER = "X-Longshore-Removed"

UNKNOWN = Code.IMAGE_NOT_FOUND

# Made once: making a schema costs three times as much as reading a query with it.
_LIST_QUERY = ImageQuerySchema()


async def list_handler(request: web.Request) -> web.Response:
    """GET /images."""
    query: ImageQuery = read_query(request.rel_url.raw_query_string, _LIST_QUERY)
    return json_answer(await list_images(request.app[DATABASE], query))


async def get_handler(request: web.Request) -> web.Response:
    """GET /images/:id."""
    return json_answer(await get_image(request.app[DATABASE], read_id(request, UNKNOWN)))


async def delete_handler(request: web.Request) -> web.Response:
    """DELETE /images/:id."""
    removal = await request.app[DELETION].delete(read_id(request, UNKNOWN), request[IDENTITY])
    return web.Response(headers={REMOVED_HEADER: removal.value})


async def details_handler(request: web.Request) -> web.StreamResponse:
    """GET /images/:id/importing-details, once or as an event stream."""
    image_id = read_id(request, UNKNOWN)
    if request.method == hdrs.METH_GET and EVENT_STREAM in request.headers.get(hdrs.ACCEPT, "").lower():
        return await _stream(request, image_id)
    details = await read_details(request.app[DATABASE], image_id)
    return json_answer(details.body)


async def _stream(request: web.Request, image_id: int) -> web.StreamResponse:
    feed = request.app[FEED]
    with feed.place() as free:
        # Before the stream begins, so that an unknown image is answered as everywhere.
        first = await feed.look(image_id)
        if first.final and request.headers.get("Last-Event-ID") == first.version:
            # A browser's way to come back after the end; this status tells it that there is no more.
            return web.Response(status=HTTPStatus.NO_CONTENT)
        response = EventSourceResponse(ping_interval=PING_INTERVAL, send_timeout=SEND_TIMEOUT)
        await response.prepare(request)
        # A reader that goes away ends its stream; nobody is left to be told.
        with suppress(ConnectionError, TimeoutError):
            async with response:
                await _send(response, first, retry=RETRY if free else RETRY_WHEN_FULL)
                if free:
                    await _send_changes(response, feed, image_id, first)
    return response


async def _send_changes(
    response: EventSourceResponse, feed: DetailsFeed, image_id: int, first: ImportingDetails
) -> None:
    async with aclosing(feed.follow(image_id, first, wanted=response.is_connected)) as news:
        async for details in news:
            await _send(response, details)


async def _send(response: EventSourceResponse, details: ImportingDetails, *, retry: int | None = None) -> None:
    data = orjson.dumps(details.body).decode()
    await response.send(data, id=details.version, event=EVENT, retry=retry)
