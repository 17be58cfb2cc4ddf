"""Server-sent events (HTML standard, section 9.2)."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import hdrs, web
from aiohttp_sse import EventSourceResponse

EVENT_STREAM = "text/event-stream"
# Comments that keep proxies from closing a quiet stream, which they do after 30 seconds or more. Seconds.
PING_INTERVAL = 10.0
# A reader that receives nothing for this long has disconnected. Seconds.
SEND_TIMEOUT = 30.0


def wants_events(request: web.Request) -> bool:
    """Return whether the request accepts an event stream; media types are case-insensitive (RFC 9110, 8.3.1)."""
    return request.method == hdrs.METH_GET and EVENT_STREAM in request.headers.get(hdrs.ACCEPT, "").lower()


def event(body: Mapping[str, Any], *, id: str, name: str) -> bytes:  # noqa: A002 - the standard's word
    """Return an event; JSON has no line breaks, so that its data is one line."""
    return b"id: %b\r\nevent: %b\r\ndata: %b\r\n\r\n" % (id.encode(), name.encode(), orjson.dumps(body))


def with_retry(text: bytes, milliseconds: int) -> bytes:
    """Return the event with the time after which its reader is to reconnect."""
    return b"retry: %d\r\n%b" % (milliseconds, text)


class EventStream(EventSourceResponse):
    """A response that sends events which were written once for many readers."""

    def __init__(self) -> None:
        super().__init__(ping_interval=PING_INTERVAL, send_timeout=SEND_TIMEOUT)

    async def begin(self, request: web.Request) -> None:
        """Begin the answer; raises ConnectionResetError if the reader has gone meanwhile."""
        if request.transport is None:
            raise ConnectionResetError("The reader has gone.")
        await self.prepare(request)

    def is_connected(self) -> bool:
        """Return whether the reader is there; a connection that was closed is noticed before the next ping."""
        return super().is_connected() and self._req is not None and self._req.transport is not None

    async def send_event(self, text: bytes) -> None:
        """Send an event; raises ConnectionError or TimeoutError if its reader is gone, or does not read."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                await self.write(text)
        except TimeoutError:
            self._abort_transport()
            raise
