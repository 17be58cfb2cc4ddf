"""What a project may hold."""

from dataclasses import dataclass

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


def in_words(size: int) -> str:
    """Write bytes as people do; exactly below a kibibyte."""
    if size < _KIBI:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / _KIBI**power:.1f} {_UNITS[power - 1]}"


def _limit(hard: Document) -> int | None:
    return None if hard.get("storage", UNLIMITED) == UNLIMITED else count(hard, "storage")
