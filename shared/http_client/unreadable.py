"""The boundary between foreign content and Longshore: no parser's exception leaves it.

A server chooses what a parser reads, so it chooses what the parser raises: a number too large for a date, text that is
no UTF-8, nesting deeper than Python's stack. Each is that server's fault, and is reported with its side.
`boundary.reads_answer` is the same for the answer to a request.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.http_client.error_body import clean

P = ParamSpec("P")
R = TypeVar("R")

_log = structlog.stdlib.get_logger(__name__)


@contextmanager
def refused_if_unreadable(
    refuse: Callable[[str], LongshoreError], passed: tuple[type[Exception], ...] = (), **where: str
) -> Iterator[None]:
    """Turn whatever the block raises into the error that `refuse` returns for a reason; `where` goes to the log.

    LongshoreError and `passed` are raised unchanged.
    """
    try:
        yield
    except LongshoreError:
        raise
    except Exception as error:
        # The server chooses the text, and so the exception.
        if isinstance(error, passed):
            raise
        raise refuse(_logged(error, where)) from None


def reads_content(code: Code) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn whatever a reader of a server's content raises into an error with this code, which has a side."""

    def decorate(read: Callable[P, R]) -> Callable[P, R]:
        @wraps(read)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            with refused_if_unreadable(lambda reason: unreadable(code, reason), reader=read.__name__):
                return read(*args, **kwargs)

        return guarded

    return decorate


def reads_hint(read: Callable[P, R | None]) -> Callable[P, R | None]:
    """Return None for a header that decides nothing by itself, whatever its reader raises."""

    @wraps(read)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return read(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as above
            _logged(error, {"reader": read.__name__})
            return None

    return guarded


def unreadable(code: Code, reason: str) -> LongshoreError:
    """Return the error for content that no reader understands."""
    return LongshoreError(code, f"The content cannot be read: {reason}.")


def _logged(error: Exception, where: dict[str, str]) -> str:
    """Log the exception with its traceback, because it may be a defect of the reader as well; return it in words."""
    _log.warning("answer.unreadable", **where, exc_info=error)
    return clean(f"{type(error).__name__}: {error}")
