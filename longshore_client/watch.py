"""Following an import to its end, whatever happens to the API meanwhile."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from longshore_client.access import BASE
from longshore_client.answer import Json
from longshore_client.errors import ClientError, EventStreamUnusableError, UnexpectedAnswerError
from longshore_client.import_details import ImportDetails
from longshore_client.patience import Patience
from longshore_client.transport import Transport

# Where no events get through, an import is looked at this often. Seconds.
POLL_SECONDS = 2.0
# Before coming back to a stream that ended, unless the server wants another pause. Seconds.
RETURN_SECONDS = 2.0
_EVENT = "details"


async def look(transport: Transport, image_id: int) -> ImportDetails:
    """Look at an import once."""
    answer = await transport.call("GET", _path(image_id))
    return ImportDetails.of(_object(answer.body))


class Watch:
    """Looks at one import until it has ended: by the event stream, and by asking where that does not get through."""

    def __init__(self, transport: Transport, image_id: int, patience: Patience) -> None:
        self._transport = transport
        self._image_id = image_id
        self._patience = patience
        self._streams = True
        self._last_id = ""
        self._pause = RETURN_SECONDS

    async def details(self) -> AsyncGenerator[ImportDetails, None]:
        """Yield the details whenever they have changed, the final ones last."""
        told: Json | None = None
        while True:
            try:
                async with aclosing(self._news()) as news:
                    async for seen in news:
                        self._patience.relieve()
                        if seen.raw != told:
                            told = seen.raw
                            yield seen
                        if seen.final:
                            return
                await asyncio.sleep(self._pause)
            except EventStreamUnusableError:
                self._streams = False
            except ClientError as error:
                await self._patience.bear(error)

    async def _news(self) -> AsyncGenerator[ImportDetails, None]:
        """Yield what one connection tells."""
        if not self._streams:
            self._pause = POLL_SECONDS
            yield await look(self._transport, self._image_id)
            return
        async with aclosing(self._transport.events(_path(self._image_id), last_id=self._last_id)) as events:
            async for event in events:
                self._last_id = event.id or self._last_id
                self._pause = self._pause if event.retry is None else event.retry
                if event.name == _EVENT:
                    yield ImportDetails.of(_parsed(event.data))


def _path(image_id: int) -> str:
    return f"{BASE}/images/{image_id}/importing-details"


def _parsed(data: str) -> Json:
    try:
        return _object(json.loads(data))
    except ValueError:
        raise UnexpectedAnswerError("The API's event cannot be read.") from None


def _object(body: object) -> Json:
    if not isinstance(body, dict):
        raise UnexpectedAnswerError("The API's answer is no JSON object.")
    return body
