"""How much a target's project may still take."""

from dataclasses import dataclass

from shared.errors.codes import Code
from shared.errors.error import LongshoreError
from shared.harbor.quota import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectQuota:
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

    def check_fits(self, size: int) -> None:
        """Raise `target_quota_exceeded`, with the figures, where `size` bytes more do not fit."""
        if size > self.free:
            raise LongshoreError(
                Code.TARGET_QUOTA_EXCEEDED,
                f"Project {self.project} may hold {in_words(self.limit)} and holds {in_words(self.used)}; "
                f"{in_words(size)} more do not fit, {in_words(size - self.free)} would have to be freed.",
            )
