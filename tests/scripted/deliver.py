"""Sends a response with the faults that a rule adds on the wire."""

from http import HTTPStatus

from tests.scripted.answer import Answer
from tests.scripted.behaviour import UNCHANGED, Behaviour
from tests.scripted.connection import PIECE, Connection
from tests.scripted.received_request import ReceivedRequest
from tests.scripted.shape import pieces, shaped


async def deliver(connection: Connection, asked: ReceivedRequest, answer: Answer, behaviour: Behaviour) -> bool:
    """Send the response; return True if the connection can serve another request."""
    if behaviour.lost is not None:
        await connection.end(behaviour.lost)
    if behaviour.raw is not None:
        await connection.send(behaviour.raw)
        return False
    await connection.send(behaviour.interim + answer.head(_framing(answer, behaviour)))
    if asked.method != "HEAD":
        await _send_body(connection, asked, answer, behaviour)
    if behaviour.early_after is not None and not asked.complete and behaviour.lingers:
        await connection.linger()
    return asked.complete and not behaviour.closes


def _framing(answer: Answer, behaviour: Behaviour) -> str:
    if behaviour.chunked:
        return "Transfer-Encoding: chunked"
    stated = any(name.lower() == "content-length" for name in answer.headers)
    if stated or behaviour.endless or answer.status == HTTPStatus.NO_CONTENT:
        return ""
    length = len(answer.body) if behaviour.stated_length is None else behaviour.stated_length
    return f"Content-Length: {length}"


async def _send_body(connection: Connection, asked: ReceivedRequest, answer: Answer, behaviour: Behaviour) -> None:
    async for part in shaped(pieces(answer.body), UNCHANGED if asked.has_body else behaviour, connection):
        await connection.send(b"%x\r\n%b\r\n" % (len(part), part) if behaviour.chunked else part)
    while behaviour.endless:
        await connection.send(b"%x\r\n%b\r\n" % (PIECE, bytes(PIECE)) if behaviour.chunked else bytes(PIECE))
    if behaviour.chunked:
        await connection.send(b"0\r\n\r\n")
