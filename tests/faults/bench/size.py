"""How long a scenario goes on."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

Value = TypeVar("Value")


class Size(StrEnum):
    """FULL is what the promise is measured with; SHORT takes seconds, for `make test` and `make soak`."""

    FULL = "full"
    SHORT = "short"

    def of(self, *, full: Value, short: Value) -> Value:
        """Return the one that is meant for this size."""
        return full if self is Size.FULL else short
