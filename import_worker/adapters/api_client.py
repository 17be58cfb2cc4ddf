"""The worker's client of the API: an attempt's start, its progress reports, and the check of the worker's token."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from import_worker.reporter import RefusedError, SupersededError
from shared.errors.codes import Code, Side
from shared.errors.error import LongshoreError
from shared.errors.kinds import ERROR_KINDS
from shared.messages.action import Action
from shared.messages.attempt_start import (
    Admitted,
    AttemptStart,
    AttemptTerms,
    ImageAdmission,
    dump_admission,
    dump_start,
    load_admitted,
    load_terms,
)
from shared.messages.progress_report import ProgressReport, ReportedState, dump_report
from shared.model.roles import Role
from shared.runtime.logs import REQUEST_ID_HEADER, request_id
from shared.tracing.spans import TRACEPARENT, traceparent

# A report is small and the API answers within five seconds whatever its database does. Seconds.
REPORT_TIMEOUT = 10.0
# The import has ended, is held by another attempt, or was deleted with its image.
_STOP = frozenset({Code.IMPORT_SUPERSEDED, Code.IMPORT_NOT_FOUND})
_OF_TARGET = frozenset(kind.code for kind in ERROR_KINDS.values() if kind.side is Side.TARGET)

# The same request may succeed later, at once or with another token.
_OVERLOAD = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_TEMPORARY = _OVERLOAD | {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}
_CLIENT_ERRORS = range(400, 500)

# Reports of an outcome: "stop" in the response means that the API accepted it.
_OUTCOMES = frozenset({ReportedState.READY, ReportedState.FAILED, ReportedState.HANDED_BACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An answer of the API; `fields` are empty unless it is a JSON object. `retry_after` is in seconds."""

    status: int
    fields: Mapping[str, Any]
    retry_after: float | None

    @property
    def code(self) -> str:
        return str(self.fields.get("code", ""))

    @property
    def refuses_for_good(self) -> bool:
        """Whether the same request gets the same answer again."""
        if self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return True
        return self.status in _CLIENT_ERRORS and self.status not in _TEMPORARY and self.code in ERROR_KINDS

    @property
    def may_succeed_soon(self) -> bool:
        """Whether the API is away or overloaded.

        An error without a code is not the API's: a proxy that finds no API behind it answers 404, for example.
        """
        if self.status in _CLIENT_ERRORS and self.code not in ERROR_KINDS:
            return True
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status in _OVERLOAD

    @property
    def reason(self) -> str:
        """The answer in a few words for a person."""
        detail = str(self.fields.get("detail", ""))
        return f"{self.status} {self.code}: {detail}".rstrip(": ")


class ApiClient:
    """Starts attempts and delivers progress reports. Fits `attempt.AttemptApi` and `reporter.ProgressApi`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def begin(self, name: str, start: AttemptStart) -> AttemptTerms:
        answer = await self._of_import("POST", name, "begin", dump_start(start))
        _check_start(answer)
        with _well_formed():
            return load_terms(answer.fields)

    async def admit(self, name: str, admission: ImageAdmission) -> Admitted:
        answer = await self._of_import("POST", name, "admit", dump_admission(admission))
        _check_start(answer)
        with _well_formed():
            return load_admitted(answer.fields)

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        answer = await self._of_import("PUT", name, "progress", dump_report(report))
        _check_answer(answer, outcome=report.state in _OUTCOMES)

    async def check(self) -> None:
        """Check the worker's token; raises LongshoreError if the API is away or the token has another role."""
        answer = await self._send("GET", "whoami")
        _check_answer(answer)
        role = answer.fields.get("role")
        if role != Role.WORKER:
            raise LongshoreError(Code.API_REFUSED, f"WORKER_TOKEN has the role {role}, not {Role.WORKER}.")

    async def _of_import(self, method: str, name: str, what: str, body: Mapping[str, Any]) -> _Answer:
        path = f"images:import/{quote(name, safe='')}/{what}"
        return await self._send(method, path, data=orjson.dumps(body), headers=_origin())

    async def _send(self, method: str, path: str, **options: Any) -> _Answer:
        try:
            async with self._session.request(method, f"{self._url}/api/v1/{path}", **options) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LongshoreError(
                Code.API_UNAVAILABLE, f"The API cannot be reached ({type(error).__name__})."
            ) from error
        retry_after = response.headers.get("Retry-After", "")
        return _Answer(
            status=response.status,
            fields=_json_object(content),
            retry_after=float(retry_after) if retry_after.isdecimal() else None,
        )


def _origin() -> dict[str, str]:
    """Return the headers by which the API's logs and traces link this request to the one that caused the import."""
    origin = {REQUEST_ID_HEADER: request_id(), TRACEPARENT: traceparent()}
    return {name: value for name, value in origin.items() if value}


def _check_start(answer: _Answer) -> None:
    """Check the answer to a request at an attempt's start.

    An API of the last release does not know the request: the worker waits until it is replaced, as for one that is
    away. An error of the target is that of the attempt: the API decides about a retry when it is reported.
    """
    if answer.status == HTTPStatus.NOT_FOUND and answer.code not in _STOP:
        raise LongshoreError(Code.API_UNAVAILABLE, "The API is of an older release than this worker.")
    if answer.code in _OF_TARGET:
        detail = str(answer.fields.get("detail", ""))
        raise LongshoreError(Code(answer.code), detail, retry_after=answer.retry_after)
    _check_answer(answer)


def _check_answer(answer: _Answer, *, outcome: bool = False) -> None:
    if answer.code in _STOP or (answer.fields.get("action") == Action.STOP and not outcome):
        raise SupersededError
    if answer.refuses_for_good:
        raise RefusedError(answer.reason)
    if answer.may_succeed_soon:
        raise LongshoreError(Code.API_UNAVAILABLE, f"The API answered {answer.status}.")
    if answer.status != HTTPStatus.OK:
        raise LongshoreError(Code.API_REFUSED, f"The API answered {answer.status} {answer.code}.")


@contextmanager
def _well_formed() -> Iterator[None]:
    """Raise `api_refused` for an answer that is not the one to the request."""
    try:
        yield
    except ValueError as error:
        raise LongshoreError(Code.API_REFUSED, f"The API's answer cannot be read: {error}.") from None


def _json_object(answer: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


@asynccontextmanager
async def open_api_client(url: str, token: str) -> AsyncIterator[ApiClient]:
    """Open a session with the API, authenticated with a worker's token."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    timeout = aiohttp.ClientTimeout(total=REPORT_TIMEOUT)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout, trust_env=False) as session:
        yield ApiClient(session, url)
