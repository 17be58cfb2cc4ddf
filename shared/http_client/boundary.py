"""The boundary between foreign answers and Longshore: no parser's exception leaves it.

A server chooses what a parser reads, so it chooses what the parser raises: a number too large for a date, text that is
no UTF-8, nesting deeper than Python's stack. Each is that server's fault, and is reported with its side.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import structlog

from shared.errors.error import LongshoreError
from shared.http_client.error_body import clean
from shared.http_client.failures import Failure
from shared.http_client.request import Request

P = ParamSpec("P")
R = TypeVar("R")
RequestT = TypeVar("RequestT", bound=Request)

_log = structlog.stdlib.get_logger(__name__)


def reads_answer(read: Callable[Concatenate[RequestT, P], R]) -> Callable[Concatenate[RequestT, P], R]:
    """Turn whatever a reader of an answer raises into a refusal with the request's side."""

    @wraps(read)
    def guarded(request: RequestT, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(request, *args, **kwargs)
        except LongshoreError:
            raise
        except Exception as error:  # noqa: BLE001 - the server chooses the text, and so the exception
            # With its traceback, because it may be a defect of the reader as well.
            _log.warning("answer.unreadable", host=request.host, step=request.step, exc_info=error)
            reason = clean(f"{type(error).__name__}: {error}")
            raise request.failed(Failure.PROTOCOL, "sent an answer that cannot be read", reason) from None

    return guarded
