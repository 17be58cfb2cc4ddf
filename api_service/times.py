"""Times as the contract writes them."""

from datetime import UTC, datetime


def rfc3339(time: datetime) -> str:
    """Return such as 2025-01-15T10:00:00.000Z."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_of(milliseconds: int) -> str:
    """Return the same for milliseconds since 1970."""
    seconds, rest = divmod(milliseconds, 1000)
    # Without its zone, which is always +00:00.
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]}.{rest:03}Z"
