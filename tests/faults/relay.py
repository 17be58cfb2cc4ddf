"""An HTTP server that passes requests on to another one, and lets something happen right at one of them."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPConnection

from tests.scripted.answer import Answer
from tests.scripted.asked import Asked
from tests.scripted.behaviour import USUAL
from tests.scripted.connection import Connection, Ending
from tests.scripted.deliver import deliver
from tests.scripted.server import LOOPBACK, Server

# Seconds for the server behind it, on a busy machine.
PATIENCE = 60.0
# Headers of the connection to that server, not of ours.
HOP_HEADERS = frozenset({"connection", "transfer-encoding", "keep-alive"})


class Moment(StrEnum):
    """When something happens at a request."""

    BEFORE = "before"
    """It is lost: the server never hears of it, and the connection ends."""
    AFTER = "after"
    """It has been carried out; the answer follows."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A request that was passed on, with what was in it and what came back."""

    asked: Asked
    body: bytes
    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request of many: with this method, this whole path (a pattern) and part of a body, after `skip` others."""

    method: str
    path: str
    body: bytes = b""
    skip: int = 0

    def fits(self, asked: Asked, body: bytes) -> bool:
        return asked.method == self.method and bool(re.fullmatch(self.path, asked.path)) and self.body in body


class Trap:
    """Waits for a step, and does something at it."""

    def __init__(self, step: Step, moment: Moment, do: Callable[[], object]) -> None:
        self.moment = moment
        self.sprung = threading.Event()
        """Set when it is done."""
        self._step = step
        self._do = do
        self._seen = 0

    def takes(self, asked: Asked, body: bytes) -> bool:
        """Tell whether this is the request, and count it."""
        fits = self._step.fits(asked, body)
        self._seen += fits
        return fits and self._seen == self._step.skip + 1

    def spring(self) -> None:
        self._do()
        self.sprung.set()


class Relay(Server):
    """Stands before a server on a loopback port; bodies go through it as a whole."""

    def __init__(self, to: int) -> None:
        super().__init__()
        self.passed: list[Passed] = []
        self._to = to
        self._traps: list[Trap] = []

    def at(self, step: Step, moment: Moment, do: Callable[[], object]) -> Trap:
        """Do something, once, at a step."""
        trap = Trap(step, moment, do)
        self._traps.append(trap)
        return trap

    async def exchange(self, asked: Asked, connection: Connection) -> bool:
        body = b"".join([part async for part in connection.body(asked)])
        trap = next((trap for trap in self._traps if trap.takes(asked, body)), None)
        if trap and trap.moment is Moment.BEFORE:
            await asyncio.to_thread(trap.spring)
            await connection.end(Ending.CLOSE)
        answer = await asyncio.to_thread(self._pass_on, asked, body)
        self.passed.append(Passed(asked=asked, body=body, answer=answer))
        if trap:
            await asyncio.to_thread(trap.spring)
        return await deliver(connection, asked, answer, USUAL)

    def _pass_on(self, asked: Asked, body: bytes) -> Answer:
        upstream = HTTPConnection(LOOPBACK, self._to, timeout=PATIENCE)
        try:
            headers = {name: value for name, value in asked.headers.items() if name not in HOP_HEADERS}
            upstream.request(asked.method, asked.target, body if asked.has_body else None, headers)
            answer = upstream.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_HEADERS}
            return Answer(status=answer.status, headers=kept, body=answer.read())
        finally:
            upstream.close()
