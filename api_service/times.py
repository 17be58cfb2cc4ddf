"""Times as the contract writes them."""

from datetime import UTC, datetime


def rfc3339(time: datetime) -> str:
    """Return such as 2025-01-15T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix_seconds(time: datetime) -> int:
    """Return whole seconds since 1970."""
    return int(time.timestamp())
