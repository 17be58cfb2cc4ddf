"""Watches an import to its end, through restarts of the API and proxies that hold back events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from longshore_client.access import BASE
from longshore_client.answers import Json, json_object
from longshore_client.backoff import Backoff
from longshore_client.errors import ApiError, ClientError, EventStreamUnusableError, UnexpectedAnswerError
from longshore_client.import_details import ImportDetails, Layer
from longshore_client.transport import Transport

# Pause between two requests where event streams do not work. Seconds.
POLL_SECONDS = 2.0
# Pause before reconnecting to a stream that ended, unless the server asks for another one. Seconds.
RECONNECT_SECONDS = 2.0
# Time for which the client polls after the API has refused another stream, unless the API says how long. Seconds.
REFUSED_SECONDS = 10.0
_STREAM_REFUSED = "stream_limit_reached"
_EVENT = "details"


async def fetch_details(transport: Transport, image_id: int, page: int | None = None) -> ImportDetails:
    """Return the present details of an image's import, with a page of its layers."""
    query = None if page is None else {"page_num": str(page)}
    answer = await transport.call("GET", _path(image_id), query=query)
    return ImportDetails.of(answer.json_object())


async def fetch_layers(transport: Transport, image_id: int) -> AsyncGenerator[Layer, None]:
    """Yield all layers, page by page."""
    number, seen = 0, 0
    while True:
        page = await fetch_details(transport, image_id, number)
        for layer in page.layers:
            yield layer
        number, seen = number + 1, seen + len(page.layers)
        if not page.layers or seen >= page.layers_summary.total:
            return


class Watch:
    """Yields the details of one import: from the event stream, or by polling where the stream does not work.

    It polls for a while, too, when the user has as many streams as the API allows.
    """

    def __init__(self, transport: Transport, image_id: int, backoff: Backoff) -> None:
        self._transport = transport
        self._image_id = image_id
        self._backoff = backoff
        self._streaming = True
        self._refused_until = 0.0
        self._last_id = ""
        self._pause = RECONNECT_SECONDS

    async def details(self) -> AsyncGenerator[ImportDetails, None]:
        """Yield the details whenever they have changed, the final ones last."""
        last: Json | None = None
        while True:
            try:
                async with aclosing(self._connect()) as updates:
                    async for update in updates:
                        self._backoff.reset()
                        if update.raw != last:
                            last = update.raw
                            yield update
                        if update.final:
                            return
                await asyncio.sleep(self._pause)
            except EventStreamUnusableError:
                self._streaming = False
            except ClientError as error:
                if not self._is_refused_stream(error):
                    await self._backoff.wait_or_raise(error)

    def _is_refused_stream(self, error: ClientError) -> bool:
        """Return whether the API refused another stream; the next requests then poll."""
        if not isinstance(error, ApiError) or error.code != _STREAM_REFUSED:
            return False
        pause = error.problem.retry_after or REFUSED_SECONDS
        self._refused_until = asyncio.get_running_loop().time() + pause
        return True

    async def _connect(self) -> AsyncGenerator[ImportDetails, None]:
        """Yield the updates of one connection; one of them when polling."""
        if not self._streaming or asyncio.get_running_loop().time() < self._refused_until:
            self._pause = POLL_SECONDS
            yield await fetch_details(self._transport, self._image_id)
            return
        async with aclosing(self._transport.events(_path(self._image_id), last_id=self._last_id)) as events:
            async for event in events:
                self._last_id = event.id or self._last_id
                self._pause = self._pause if event.retry is None else event.retry
                if event.name == _EVENT:
                    yield ImportDetails.of(_parse(event.data))


def _path(image_id: int) -> str:
    return f"{BASE}/images/{image_id}/importing-details"


def _parse(data: str) -> Json:
    try:
        return json_object(json.loads(data))
    except ValueError:
        raise UnexpectedAnswerError("An event of the API cannot be read.") from None
