"""What a rule does to an exchange, as data."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.scripted.answer import Answer
from tests.scripted.asked import Asked
from tests.scripted.connection import Ending

Change = Callable[[Answer], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The default changes nothing.

    "The body" is the request's where it has one, else the answer's. Offsets and sizes are in bytes, times in seconds.
    """

    answer: Answer | Callable[[Asked], Answer] | None = None
    """Sent instead of the registry's own; the request changes nothing then."""
    changes: tuple[Change, ...] = ()
    """Done to the answer, in this order."""
    wait: float = 0.0
    """Before the answer."""
    end_after: int | None = None
    """So much of the body goes through, then the connection ends."""
    ending: Ending = Ending.RESET
    pace: tuple[int, float] | None = None
    """The body goes in pieces of this size, with this pause after each."""
    corrupt_at: int | None = None
    """This byte of the body is another one."""
    early_after: int | None = None
    """The answer comes after so much of the request's body."""
    lingers: bool = True
    """After an early answer the rest of the body is read and forgotten; else the connection closes at once."""
    lost: Ending | None = None
    """The request is carried out, but instead of the answer the connection ends."""
    stated_length: int | None = None
    """Content-Length says this, whatever is sent."""
    chunked: bool = False
    endless: bool = False
    """The answer's body goes on with zeros for ever, without a Content-Length."""
    closes: bool = False
    """The connection closes after the answer, without a word about it."""
    raw: bytes | None = None
    """Sent instead of anything that is HTTP; then the connection closes."""
    interim: bytes = b""
    """Sent before the answer's own head."""
    withholds_continue: bool = False


USUAL = Behaviour()
