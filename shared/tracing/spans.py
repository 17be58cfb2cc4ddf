"""Marks the steps of the code for tracing; without a tracer, every function here does nothing.

Values are counts, names, digests and codes: never a URL with its query, a header, or the text of a foreign exception.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import Protocol, TypeAlias

# The header that carries a position in a trace (W3C Trace Context), in HTTP requests and in messages.
TRACEPARENT = "traceparent"

Values: TypeAlias = Mapping[str, str | int | float | bool]
_NONE: Values = {}


class Kind(Enum):
    """The step's role in a communication."""

    INTERNAL = auto()
    SERVER = auto()
    CLIENT = auto()
    """A request to another service; it has no steps of its own."""
    PRODUCER = auto()
    CONSUMER = auto()


class Span(Protocol):
    """A running step."""

    def note(self, values: Values) -> None:
        """Add values to the step."""
        ...

    def fail(self, code: str, detail: str = "") -> None:
        """Mark the step as failed; an exception that leaves the step does so, too."""
        ...


class Tracer(Protocol):
    """Records steps; the functions below describe each method."""

    def entry(self, name: str, kind: Kind, parent: str | None, values: Values) -> AbstractContextManager[Span]: ...

    def step(self, name: str, kind: Kind, values: Values) -> AbstractContextManager[Span]: ...

    def traceparent(self) -> str | None: ...


class _NoSpan:
    """A span that is not recorded."""

    def note(self, values: Values) -> None:
        pass

    def fail(self, code: str, detail: str = "") -> None:
        pass


# One instance for all steps: it has no state, and may be entered within itself.
NO_SPAN: AbstractContextManager[Span] = nullcontext(_NoSpan())
_tracer: Tracer | None = None


def record_with(tracer: Tracer | None) -> None:
    """Record steps with this tracer from now on; None stops recording."""
    global _tracer  # noqa: PLW0603 - one per process, as the logs are
    _tracer = tracer


def entry(name: str, kind: Kind, parent: str | None, values: Values = _NONE) -> AbstractContextManager[Span]:
    """Begin a step that was caused outside of this process: below `parent`, or in a new trace."""
    return _tracer.entry(name, kind, parent, values) if _tracer else NO_SPAN


def step(name: str, values: Values = _NONE, *, kind: Kind = Kind.INTERNAL) -> AbstractContextManager[Span]:
    """Begin a step below the task's current step; not recorded where there is none."""
    return _tracer.step(name, kind, values) if _tracer else NO_SPAN


def traceparent() -> str | None:
    """Return the current position in the trace as TRACEPARENT carries it; None without a current step."""
    return _tracer.traceparent() if _tracer else None
