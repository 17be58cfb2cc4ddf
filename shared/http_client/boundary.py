"""The boundary between foreign answers and Longshore: no parser's exception leaves it (see `unreadable`).

Outside of its readers, the code passes an answer on and reads its status; only a reader reads headers and content. A
test finds each function that does otherwise (tests/shared/http_client/test_boundary.py).
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from shared.errors.error import LongshoreError
from shared.http_client.failures import Failure
from shared.http_client.request import Request
from shared.http_client.unreadable import refused_if_unreadable

P = ParamSpec("P")
R = TypeVar("R")
RequestT = TypeVar("RequestT", bound=Request)


def reads_answer(read: Callable[Concatenate[RequestT, P], R]) -> Callable[Concatenate[RequestT, P], R]:
    """Turn whatever a reader of an answer raises into a refusal with the request's side."""

    @wraps(read)
    def guarded(request: RequestT, /, *args: P.args, **kwargs: P.kwargs) -> R:
        def refuse(reason: str) -> LongshoreError:
            return request.failed(Failure.PROTOCOL, "sent an answer that cannot be read", reason)

        with refused_if_unreadable(refuse, host=request.host, step=request.step):
            return read(request, *args, **kwargs)

    return guarded
