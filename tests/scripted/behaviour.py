"""The effect of a rule on an exchange, as data."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.scripted.answer import Answer
from tests.scripted.connection import Ending
from tests.scripted.received_request import ReceivedRequest

Change = Callable[[Answer], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The default changes nothing.

    "The body" is the request's if it has one, else the response's. Offsets and sizes are in bytes, times in seconds.
    """

    answer: Answer | Callable[[ReceivedRequest], Answer] | None = None
    """Sent instead of the registry's own response; the request is not processed then."""
    changes: tuple[Change, ...] = ()
    """Applied to the response, in this order."""
    wait: float = 0.0
    """Seconds before the response."""
    end_after: int | None = None
    """The connection ends after so many bytes of the body."""
    ending: Ending = Ending.RESET
    pace: tuple[int, float] | None = None
    """The body is sent in pieces of this size, with this pause after each."""
    corrupt_at: int | None = None
    """This byte of the body is changed."""
    early_after: int | None = None
    """The response is sent after so many bytes of the request's body."""
    lingers: bool = True
    """After an early response, the rest of the body is read and discarded; else the connection closes at once."""
    lost: Ending | None = None
    """The request is processed, but the connection ends instead of the response."""
    stated_length: int | None = None
    """Content-Length states this regardless of the body."""
    chunked: bool = False
    endless: bool = False
    """The response's body continues with zeros without end, without a Content-Length."""
    closes: bool = False
    """The connection closes after the response, unannounced."""
    raw: bytes | None = None
    """Sent instead of an HTTP response; then the connection closes."""
    interim: bytes = b""
    """Sent before the response's own head."""
    withholds_continue: bool = False


UNCHANGED = Behaviour()
