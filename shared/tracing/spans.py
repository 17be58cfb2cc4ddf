"""What the code says of its own steps, for whoever traces them; without tracing, each of these does nothing.

Values are counts, names, digests and codes: never an address with its query, a header, or a strange exception's text.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import Protocol, TypeAlias

# The header in which a place in a trace travels (W3C Trace Context), in HTTP requests and in messages.
TRACEPARENT = "traceparent"

Values: TypeAlias = Mapping[str, str | int | float | bool]
_NONE: Values = {}


class Kind(Enum):
    """Which end of a conversation a step is."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()
    """A request to somebody else; it has no steps of its own."""
    PRODUCER = auto()
    CONSUMER = auto()


class Span(Protocol):
    """A step under way."""

    def note(self, values: Values) -> None:
        """Add what has turned out."""
        ...

    def fail(self, code: str, detail: str = "") -> None:
        """Call the step failed, which an exception does by itself."""
        ...


class Tracer(Protocol):
    """Records steps somewhere; the functions below say what each method does."""

    def entry(self, name: str, kind: Kind, parent: str | None, values: Values) -> AbstractContextManager[Span]: ...

    def step(self, name: str, kind: Kind, values: Values) -> AbstractContextManager[Span]: ...

    def traceparent(self) -> str | None: ...


class _NoSpan:
    """The span where nobody listens."""

    def note(self, values: Values) -> None:
        pass

    def fail(self, code: str, detail: str = "") -> None:
        pass


# One for all: it holds nothing, and may be entered within itself.
NO_SPAN: AbstractContextManager[Span] = nullcontext(_NoSpan())
_tracer: Tracer | None = None


def record_with(tracer: Tracer | None) -> None:
    """Record from now on, or no longer."""
    global _tracer  # noqa: PLW0603 - one per process, as the logs are
    _tracer = tracer


def entry(name: str, kind: Kind, parent: str | None, values: Values = _NONE) -> AbstractContextManager[Span]:
    """Begin a step that something outside of this process caused: where `parent` says, or in a trace of its own."""
    return _tracer.entry(name, kind, parent, values) if _tracer else NO_SPAN


def step(name: str, values: Values = _NONE, *, kind: Kind = Kind.INTERNAL) -> AbstractContextManager[Span]:
    """Begin a step of what is under way in this task; not recorded where that is not."""
    return _tracer.step(name, kind, values) if _tracer else NO_SPAN


def traceparent() -> str | None:
    """Return the place in the trace as TRACEPARENT has it, for whoever goes on elsewhere; None where there is none."""
    return _tracer.traceparent() if _tracer else None
