"""Watches an import to its end, through restarts of the API and proxies that hold back events."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from longshore_client.access import BASE
from longshore_client.answers import Json, json_object
from longshore_client.backoff import Backoff
from longshore_client.errors import ClientError, EventStreamUnusableError, UnexpectedAnswerError
from longshore_client.import_details import ImportDetails
from longshore_client.transport import Transport

# Pause between two requests where event streams do not work. Seconds.
POLL_SECONDS = 2.0
# Pause before reconnecting to a stream that ended, unless the server asks for another one. Seconds.
RECONNECT_SECONDS = 2.0
_EVENT = "details"


async def fetch_details(transport: Transport, image_id: int) -> ImportDetails:
    """Return the present details of an image's import."""
    answer = await transport.call("GET", _path(image_id))
    return ImportDetails.of(answer.json_object())


class Watch:
    """Yields the details of one import: from the event stream, or by polling where the stream does not work."""

    def __init__(self, transport: Transport, image_id: int, backoff: Backoff) -> None:
        self._transport = transport
        self._image_id = image_id
        self._backoff = backoff
        self._streaming = True
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
                await self._backoff.wait_or_raise(error)

    async def _connect(self) -> AsyncGenerator[ImportDetails, None]:
        """Yield the updates of one connection; one of them when polling."""
        if not self._streaming:
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
