"""The quota of a target's project."""

from dataclasses import dataclass

from shared.errors.codes import Code
from shared.errors.error import LongshoreError

_KIBI = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectQuota:
    """A project's limit and usage, in bytes; `used` may be above `limit` after an administrator lowered the limit.

    A blob counts once per project, in however many of its repositories it is.
    """

    project: str
    limit: int
    used: int

    @property
    def free(self) -> int:
        """The number of bytes that still fit."""
        return max(self.limit - self.used, 0)

    def check_fits(self, size: int) -> None:
        """Raise `target_quota_exceeded`, with the figures, where `size` more bytes do not fit."""
        if size > self.free:
            raise LongshoreError(
                Code.TARGET_QUOTA_EXCEEDED,
                f"Project {self.project} may hold {readable_size(self.limit)} and holds {readable_size(self.used)}; "
                f"{readable_size(size)} more do not fit, {readable_size(size - self.free)} would have to be freed.",
            )


def readable_size(size: int) -> str:
    """Return a number of bytes in the largest fitting unit; exact below a kibibyte."""
    if size < _KIBI:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / _KIBI**power:.1f} {_UNITS[power - 1]}"
