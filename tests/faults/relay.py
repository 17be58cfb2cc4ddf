"""An HTTP server that forwards requests to another one, and can run a function at one of them."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection

from tests.scripted.answer import Answer
from tests.scripted.behaviour import UNCHANGED
from tests.scripted.connection import Connection, Ending
from tests.scripted.deliver import deliver
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.server import LOOPBACK, Server

# Seconds for a response of the server, on a busy machine.
TIMEOUT = 60.0
# Hop-by-hop headers, which are not forwarded.
HOP_HEADERS = frozenset({"connection", "transfer-encoding", "keep-alive"})


class Moment(StrEnum):
    """The moment of an action at a request."""

    BEFORE = "before"
    """Before the server gets it: the request is lost, and the connection is closed."""
    AFTER = "after"
    """After the server has carried it out, and before its response is sent."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A forwarded request with its body and response."""

    asked: ReceivedRequest
    body: bytes
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Step:
    """Matches one request: with this method, path (a pattern for all of it) and part of a body, after `skip` others."""

    method: str
    path: str
    body: bytes = b""
    skip: int = 0

    def fits(self, asked: ReceivedRequest, body: bytes) -> bool:
        return asked.method == self.method and bool(re.fullmatch(self.path, asked.path)) and self.body in body


class Trap:
    """Waits for a step and runs a function at it."""

    def __init__(self, step: Step, moment: Moment, do: Callable[[], object]) -> None:
        self.moment = moment
        self.fired = threading.Event()
        """Set after the function has run."""
        self._step = step
        self._do = do
        self._seen = 0

    def takes(self, asked: ReceivedRequest, body: bytes) -> bool:
        """Return whether this is the request, and count it."""
        fits = self._step.fits(asked, body)
        self._seen += fits
        return fits and self._seen == self._step.skip + 1

    def fire(self) -> None:
        self._do()
        self.fired.set()


class Relay(Server):
    """A relay in front of a server on a loopback port; it forwards complete bodies."""

    def __init__(self, to: int) -> None:
        super().__init__()
        self.passed: list[Passed] = []
        self._to = to
        self._traps: list[Trap] = []

    def at(self, step: Step, moment: Moment, do: Callable[[], object]) -> Trap:
        """Run a function once at a step."""
        trap = Trap(step, moment, do)
        self._traps.append(trap)
        return trap

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        body = b"".join([part async for part in connection.body(asked)])
        trap = next((trap for trap in self._traps if trap.takes(asked, body)), None)
        if trap and trap.moment is Moment.BEFORE:
            await asyncio.to_thread(trap.fire)
            await connection.end(Ending.CLOSE)
        answer = await asyncio.to_thread(self.forward, asked, body)
        self.passed.append(Passed(asked=asked, body=body, answer=answer))
        if trap:
            await asyncio.to_thread(trap.fire)
        return await self.reply(asked, answer, connection)

    async def reply(self, asked: ReceivedRequest, answer: Answer, connection: Connection) -> bool:
        """Send a response of the server."""
        return await deliver(connection, asked, answer, UNCHANGED)

    def forward(self, asked: ReceivedRequest, body: bytes) -> Answer:
        upstream = HTTPConnection(LOOPBACK, self._to, timeout=TIMEOUT)
        try:
            headers = {name: value for name, value in asked.headers.items() if name not in HOP_HEADERS}
            upstream.request(asked.method, asked.target, body if asked.has_body else None, headers)
            answer = upstream.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS}
            return Answer(status=answer.status, headers=kept, body=answer.read())
        finally:
            upstream.close()
