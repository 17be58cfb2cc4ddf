"""A server that sends the responses that a test scripts, including faults on the wire, and records its requests."""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.scripted.connection import Connection, Ending
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.server import Server

# The chunk that an endless body repeats.
ENDLESS_CHUNK = bytes(64 * 1024)
# Seconds between the bytes of a dripping body.
DRIP_INTERVAL = 0.05


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A scripted response.

    `length` is a false value for Content-Length; None omits the header. `early` answers before the request's body is
    read. After `body`, `endless` sends bytes without end, `drips` does so byte by byte, `hang` sends nothing more and
    keeps the connection open, `close` closes it, `reset` resets it. `wait` is a delay before the answer, in seconds.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = -1
    early: bool = False
    endless: bool = False
    drips: bool = False
    hang: bool = False
    close: bool = False
    reset: bool = False
    wait: float = 0.0
    raw: bytes | None = None

    def head(self, method: str) -> bytes:
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in self.headers.items())]
        length = len(self.body) if self.length == -1 else self.length
        if length is not None and "Content-Length" not in self.headers:
            lines.append(f"Content-Length: {length}")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        return head if method == "HEAD" else head + self.body


Scripted = Answer | Callable[[ReceivedRequest], Answer]

NOT_SCRIPTED = Answer(status=404, body=b'{"errors": [{"code": "NOT_SCRIPTED", "message": "no answer was scripted"}]}')


def error(status: int, code: str, message: str = "", **more: str) -> Answer:
    """Return an error response in the distribution specification's format; `more` are headers."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in more.items()}}
    return Answer(status=status, headers=headers, body=body)


class HostileRegistry(Server):
    """Sends the responses of each method and path in order; the last one is repeated."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._scripts: dict[tuple[str, str], list[Scripted]] = {}

    def on(self, method: str, path: str, *answers: Scripted) -> None:
        """Script the responses for a path (without its query)."""
        self._scripts[method, path] = list(answers)

    async def exchange(self, asked: ReceivedRequest, connection: Connection) -> bool:
        answer = self._answer(asked)
        if not answer.early:
            asked.body = b"".join([part async for part in connection.body(asked)])
        await asyncio.sleep(answer.wait)
        await _send(connection, asked, answer)
        return not (answer.close or answer.early)

    def _answer(self, asked: ReceivedRequest) -> Answer:
        script = self._scripts.get((asked.method, asked.path), [NOT_SCRIPTED])
        scripted = script.pop(0) if len(script) > 1 else script[0]
        return scripted if isinstance(scripted, Answer) else scripted(asked)


async def _send(connection: Connection, asked: ReceivedRequest, answer: Answer) -> None:
    """Send a response; raises EndedError if it ends with the connection."""
    await connection.send(answer.head(asked.method))
    while answer.endless or answer.drips:
        await connection.send(ENDLESS_CHUNK if answer.endless else b"x")
        await asyncio.sleep(DRIP_INTERVAL if answer.drips else 0)
    if answer.hang or answer.reset:
        await connection.end(Ending.SILENCE if answer.hang else Ending.RESET)
