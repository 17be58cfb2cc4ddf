"""What a project may hold, and whether a push fits in."""

from dataclasses import dataclass

from shared.errors import LongshoreError
from shared.harbor.documents import Document, count

# What Harbor writes for a project without a limit.
UNLIMITED = -1
_KIBI = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bytes. `hard` is None where there is no limit; `used` may be above it, where the limit was lowered."""

    hard: int | None
    used: int

    @classmethod
    def from_summary(cls, document: Document) -> "Quota | None":
        """Read a project's summary; None where Harbor has quotas switched off, or keeps them from the account."""
        quota = document.get("quota")
        if not isinstance(quota, dict):
            return None
        hard, used = quota.get("hard"), quota.get("used")
        used = used if isinstance(used, dict) else {}
        return cls(hard=_limit(hard if isinstance(hard, dict) else {}), used=count(used, "storage"))

    @property
    def room(self) -> int | None:
        """Bytes that still fit; None where everything does."""
        return None if self.hard is None else max(self.hard - self.used, 0)


def check_room(project: str, quota: Quota | None, size: int) -> int | None:
    """Return how many bytes stay free after a push of `size` bytes; None where that has no limit or is not known.

    `size` counts each blob and manifest that the project does not hold yet, once: other projects of the same Harbor
    are charged separately. Raises `target_quota_exceeded` where it does not fit.
    """
    if quota is None or quota.hard is None or quota.room is None:
        return None
    if size > quota.room:
        raise LongshoreError(
            "target_quota_exceeded",
            f"Project {project} may hold {in_words(quota.hard)} and holds {in_words(quota.used)}; "
            f"{in_words(size)} more do not fit, {in_words(size - quota.room)} would have to be freed.",
        )
    return quota.room - size


def in_words(size: int) -> str:
    """Write bytes as people do; exactly below a kibibyte."""
    if size < _KIBI:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / _KIBI**power:.1f} {_UNITS[power - 1]}"


def _limit(hard: Document) -> int | None:
    return None if hard.get("storage", UNLIMITED) == UNLIMITED else count(hard, "storage")
