"""Times as the contract writes them."""

from datetime import UTC, datetime
from functools import lru_cache

MILLISECONDS_OF_MINUTE = 60_000


def rfc3339(time: datetime) -> str:
    """Return such as 2025-01-15T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_of(milliseconds: int) -> str:
    """Return the same for milliseconds since 1970; the images of a page, or of pages asked for again, share minutes."""
    minutes, rest = divmod(milliseconds, MILLISECONDS_OF_MINUTE)
    return f"{_minute(minutes)}:{rest // 1000:02}.{rest % 1000:03}Z"


@lru_cache(maxsize=1000)
def _minute(minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).isoformat()[: len("2026-11-23T12:34")]
