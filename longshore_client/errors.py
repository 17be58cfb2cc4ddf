"""What can go wrong when the API is called, each with what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

# A proxy's own answers while the API behind it is away; with a problem in it, such a status is the API's answer.
GATEWAY_STATUSES = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_LONGSHORE = "longshore"


class ClientError(Exception):
    """Base of all. `hint` says what to do; `passing` whether the same call may work in a moment."""

    def __init__(self, message: str, *, hint: str = "", passing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.passing = passing


class ApiUnreachableError(ClientError):
    """The API did not answer: no connection, none in time, or a proxy that says so."""

    def __init__(self, message: str, *, hint: str = "", passing: bool = True) -> None:
        super().__init__(message, hint=hint, passing=passing)


class UnexpectedAnswerError(ClientError):
    """Something answered that is not a Longshore API, or one that this client does not understand."""


class EventStreamUnusableError(ClientError):
    """Events do not get through here, as behind a proxy that keeps them; asking again and again works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingField:
    """A field or parameter that was refused; `field` is empty for the whole."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The API's error body (RFC 9457); `code` is stable and from a closed list, `side` whose door to knock at."""

    status: int
    code: str
    title: str
    detail: str
    hint: str = ""
    side: str = _LONGSHORE
    retryable: bool = False
    request_id: str = ""
    fields: Sequence[FailingField] = field(default_factory=tuple)

    @classmethod
    def of(cls, body: Mapping[str, Any], status: int) -> "Problem":
        """Read a body; what is missing in it stays empty, so that even a strange error can be told."""
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
        )


class ApiError(ClientError):
    """The API answered with an error.

    `passing` is true for what its own parts cause, such as a database that is away: it goes by itself within moments.
    """

    def __init__(self, problem: Problem) -> None:
        passing = problem.status == HTTPStatus.SERVICE_UNAVAILABLE and problem.retryable and problem.side == _LONGSHORE
        super().__init__(problem.detail or problem.title, hint=problem.hint, passing=passing)
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
        """What the API's logs know the request by."""
        return self.problem.request_id


def _fields(entries: Sequence[Any]) -> Sequence[FailingField]:
    known = (entry for entry in entries if isinstance(entry, dict))
    return tuple(
        FailingField(field=str(entry.get("field", "")), message=str(entry.get("message", ""))) for entry in known
    )
