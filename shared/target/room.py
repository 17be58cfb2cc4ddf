"""How much a target's project may still take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A project's limit and what it holds, in bytes; `used` may be above `limit`, where that was lowered.

    A blob counts once in a project, in however many of its repositories it is.
    """

    project: str
    limit: int
    used: int

    @property
    def free(self) -> int:
        """Bytes that still fit."""
        return max(self.limit - self.used, 0)
