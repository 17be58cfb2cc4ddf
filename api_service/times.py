"""Times as the contract writes them."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

EPOCH = date(1970, 1, 1)
MILLISECONDS_OF_DAY = 86_400_000


def rfc3339(time: datetime) -> str:
    """Return such as 2025-01-15T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_of(milliseconds: int) -> str:
    """Return the same for milliseconds since 1970; a page of images has many such times, and most of a few days."""
    days, rest = divmod(milliseconds, MILLISECONDS_OF_DAY)
    seconds, fraction = divmod(rest, 1000)
    return f"{_date(days)}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:03}Z"


@lru_cache(maxsize=1000)
def _date(days: int) -> str:
    return (EPOCH + timedelta(days=days)).isoformat()
