"""The size of a scenario."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

Value = TypeVar("Value")


class Size(StrEnum):
    """FULL measures the promise; SHORT takes seconds, for `make test` and `make soak`."""

    FULL = "full"
    SHORT = "short"

    def of(self, *, full: Value, short: Value) -> Value:
        """Return the value for this size."""
        return full if self is Size.FULL else short
