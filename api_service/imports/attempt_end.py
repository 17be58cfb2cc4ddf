"""How an attempt at an import ended."""

from dataclasses import dataclass

from shared.model.states import ImportState


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnd:
    """What the import is after the attempt.

    `code` says why where it is not ready; `lifetime` are the seconds since the import was accepted, where it is final.
    """

    state: ImportState
    code: str = ""
    lifetime: float = 0.0
