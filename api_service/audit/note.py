"""The note about the current request that its use case completes for the audit log."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class AuditNote:
    """Known only inside the request: the object that it is about, and the import rule that allows it.

    `variant` is appended to the operation's name if the request only asks for a preview or a check.
    """

    object: str = ""
    rule_id: int | None = None
    variant: str = ""


_current: ContextVar[AuditNote | None] = ContextVar("audit_note", default=None)


@contextmanager
def taking_note() -> Iterator[AuditNote]:
    """Collect the notes of the block, and of the tasks that it starts."""
    note = AuditNote()
    token = _current.set(note)
    try:
        yield note
    finally:
        _current.reset(token)


def note_object(text: str) -> None:
    """Note the object, such as `imports/app:1.0`; the latest note counts. Outside a request this does nothing."""
    if note := _current.get():
        note.object = text


def note_rule(rule_id: int | None) -> None:
    """Note the import rule that allows the request; None: none was needed."""
    if note := _current.get():
        note.rule_id = rule_id


def note_variant(name: str) -> None:
    """Note that the request changes nothing, such as a dry run."""
    if note := _current.get():
        note.variant = name
