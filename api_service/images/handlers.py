"""Handlers about images: the list, one image, its import's details, its deletion."""

from contextlib import aclosing, suppress
from http import HTTPStatus

from aiohttp import web

from api_service.auth.identity import Identity
from api_service.images.answers import details_json, image_json, page_json
from api_service.images.import_details import LayerPage
from api_service.images.import_feed import Followed
from api_service.images.keys import DELETION, DETAILS, FEED, IMAGE, IMAGES
from api_service.images.list_images import ImageQuery
from api_service.images.requests import DetailsQuerySchema, ImageQuerySchema
from api_service.web.answers import json_answer
from api_service.web.event_stream import EventStream, wants_events, with_retry
from api_service.web.keys import IDENTITY
from api_service.web.middlewares.auth import StreamReader
from api_service.web.requests import read_id, read_query
from shared.errors.codes import Code

# Reconnection times of an event stream: after a break, and above the limit of streams. Milliseconds.
RETRY = 2_000
RETRY_WHEN_FULL = 10_000

# The contract defines an empty body; this header has what was removed from the target: manifest, tag or nothing.
REMOVED_HEADER = "X-Longshore-Removed"

UNKNOWN = Code.IMAGE_NOT_FOUND

# Created once: creating a schema costs three times as much as reading a query with it.
_LIST_QUERY = ImageQuerySchema()
_DETAILS_QUERY = DetailsQuerySchema()


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
    page: LayerPage | None = read_query(request.rel_url.raw_query_string, _DETAILS_QUERY)
    if page is None and wants_events(request):
        return await _stream(request, image_id)
    return json_answer(details_json(await request.app[DETAILS].read(image_id, request[IDENTITY], page)))


async def _stream(request: web.Request, image_id: int) -> web.StreamResponse:
    feed, by = request.app[FEED], request[IDENTITY]
    # The first event is read before the stream begins, so that an unknown image gets the usual error.
    with feed.places.reserve(by.owner) as admitted:
        async with feed.follow(image_id, by) as followed:
            first = followed.first.details
            if first.final and request.headers.get("Last-Event-ID") == first.version:
                # A browser reconnects after the end; this status makes it stop (HTML, server-sent events).
                return web.Response(status=HTTPStatus.NO_CONTENT)
            return await _send(request, followed, admitted=admitted)


async def _send(request: web.Request, followed: Followed, *, admitted: bool) -> web.StreamResponse:
    stream, reader = EventStream(), StreamReader(request)

    async def connected_reader() -> Identity | None:
        return await reader.identity() if stream.is_connected() else None

    await stream.begin(request)
    # A reader that disconnects ends its stream.
    with suppress(ConnectionError, TimeoutError):
        async with stream:
            await stream.send_event(with_retry(followed.first.text, RETRY if admitted else RETRY_WHEN_FULL))
            if admitted:
                async with aclosing(followed.changes(connected_reader)) as changes:
                    async for change in changes:
                        await stream.send_event(change.text)
    return stream
