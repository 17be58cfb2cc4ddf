"""The interface of a step in a sequence."""

from typing import Protocol

from tests.stateful.play import Play, Row

# Statuses of refusals that change nothing.
REFUSED = frozenset({403, 404, 409})


class Step(Protocol):
    """One action. It checks the answer that it gets, and updates the model.

    `alone`: no other action runs at the same time, so that the answer is exactly known.
    """

    async def take(self, play: Play, *, alone: bool) -> None: ...


def may_change(user: str, row: Row) -> bool:
    """Return whether the user may change an image."""
    return user in ("root", row.created_by)
