"""Exceptions of the client, each with a hint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

# A proxy's own answers while the API behind it is away. With a problem document as its body, the answer is the API's.
GATEWAY_STATUSES = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_LONGSHORE = "longshore"


class ClientError(Exception):
    """Base class. `hint` says what to do; `transient` says whether the same call may succeed within moments."""

    def __init__(self, message: str, *, hint: str = "", transient: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.transient = transient


class ApiUnreachableError(ClientError):
    """The API did not answer: no connection, a timeout, or a proxy that reports the API as away."""

    def __init__(self, message: str, *, hint: str = "", transient: bool = True) -> None:
        super().__init__(message, hint=hint, transient=transient)


class UnexpectedAnswerError(ClientError):
    """The answer is not from a Longshore API, or from one that this client does not understand."""


class EventStreamUnusableError(ClientError):
    """No events arrive, as behind a proxy that buffers them. Polling works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingField:
    """A field or parameter that the API refused; `field` is empty if the message is about the whole request."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The API's error body (RFC 9457). `code` is stable, from a closed list; `side` is the side that has to act.

    `retry_after` is the header Retry-After, in seconds, if the API sent it.
    """

    status: int
    code: str
    title: str
    detail: str
    hint: str = ""
    side: str = _LONGSHORE
    retryable: bool = False
    request_id: str = ""
    fields: Sequence[FailingField] = field(default_factory=tuple)
    retry_after: int | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any], status: int, retry_after: int | None = None) -> "Problem":
        """Read a body. Missing fields stay empty, so that the client can report even an incomplete error."""
        failing = body.get("errors")
        return cls(
            status=status,
            code=str(body.get("code", "")),
            title=str(body.get("title", "")),
            detail=str(body.get("detail", "")),
            hint=str(body.get("hint", "")),
            side=str(body.get("side", "")),
            retryable=body.get("retryable") is True,
            request_id=str(body.get("requestId", "")),
            fields=_fields(failing) if isinstance(failing, list) else (),
            retry_after=retry_after,
        )


class ApiError(ClientError):
    """The API answered with an error.

    It is transient if one of the API's own parts causes it, such as a database that is restarting.
    """

    def __init__(self, problem: Problem) -> None:
        transient = (
            problem.status == HTTPStatus.SERVICE_UNAVAILABLE and problem.retryable and problem.side == _LONGSHORE
        )
        super().__init__(problem.detail or problem.title, hint=problem.hint, transient=transient)
        self.problem = problem

    @property
    def code(self) -> str:
        """The stable code."""
        return self.problem.code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def request_id(self) -> str:
        """The id of the request in the API's logs."""
        return self.problem.request_id


def _fields(entries: Sequence[Any]) -> Sequence[FailingField]:
    known = (entry for entry in entries if isinstance(entry, dict))
    return tuple(
        FailingField(field=str(entry.get("field", "")), message=str(entry.get("message", ""))) for entry in known
    )
