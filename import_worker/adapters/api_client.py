"""The worker's client of the API: progress reports, and the check of its own token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import orjson

from import_worker.reporter import SupersededError
from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.messages.progress_report import ProgressReport, ReportedState, dump_report
from shared.model.roles import Role
from shared.runtime.logs import REQUEST_ID_HEADER, request_id
from shared.tracing.spans import TRACEPARENT, traceparent

# A report is small and the API answers within five seconds whatever its database does. Seconds.
REPORT_TIMEOUT = 10.0
# The import has ended, is held by another attempt, or was deleted with its image.
_STOP = frozenset({Code.IMPORT_SUPERSEDED, Code.IMPORT_NOT_FOUND})

# Reports of an outcome: "stop" in the response means that the API accepted it.
_OUTCOMES = frozenset({ReportedState.READY, ReportedState.FAILED, ReportedState.HANDED_BACK})


class ApiClient:
    """Delivers progress reports. Fits `reporter.ProgressApi`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def put_progress(self, name: str, report: ProgressReport) -> None:
        url = f"{self._url}/api/v1/images:import/{quote(name, safe='')}/progress"
        try:
            async with self._session.put(url, data=orjson.dumps(dump_report(report)), headers=_origin()) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error
        _check_answer(response.status, answer, outcome=report.state in _OUTCOMES)

    async def check(self) -> None:
        """Check the worker's token; raises LongshoreError if the API is away or the token has another role."""
        try:
            async with self._session.get(f"{self._url}/api/v1/whoami") as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _unreachable(error) from error
        _check_answer(response.status, answer, outcome=False)
        role = _json_object(answer).get("role")
        if role != Role.WORKER:
            raise LongshoreError(Code.API_REFUSED, f"WORKER_TOKEN has the role {role}, not {Role.WORKER}.")


def _unreachable(error: Exception) -> LongshoreError:
    return LongshoreError(Code.API_UNAVAILABLE, f"The API cannot be reached ({type(error).__name__}).")


def _origin() -> dict[str, str]:
    """Return the headers by which the API's logs and traces link this request to the one that caused the import."""
    origin = {REQUEST_ID_HEADER: request_id(), TRACEPARENT: traceparent()}
    return {name: value for name, value in origin.items() if value}


def _check_answer(status: int, answer: bytes, *, outcome: bool) -> None:
    fields = _json_object(answer)
    if fields.get("code") in _STOP or (fields.get("action") == "stop" and not outcome):
        raise SupersededError
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        raise LongshoreError(Code.API_UNAVAILABLE, f"The API answered {status}.")
    if status != HTTPStatus.OK:
        raise LongshoreError(Code.API_REFUSED, f"The API answered {status} {fields.get('code', '')}.")


def _json_object(answer: bytes) -> dict[str, Any]:
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
