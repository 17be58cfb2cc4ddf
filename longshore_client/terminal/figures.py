"""Figures as people read them."""

from datetime import datetime

from rich.filesize import decimal

# Characters of a digest's hex that a person compares.
SHORT = 12
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def size(count: int) -> str:
    """Bytes, in powers of 1000 as registries count."""
    return decimal(count)


def part(done: int, total: int) -> str:
    """Bytes of all bytes, with the unit said once where it is the same."""
    first, whole = size(done), size(total)
    figure, _, unit = first.partition(" ")
    return f"{figure if unit == whole.partition(' ')[2] else first}/{whole}"


def rate(bytes_a_second: float) -> str:
    """Bytes a second."""
    return f"{size(round(bytes_a_second))}/s"


def duration(seconds: float) -> str:
    """A time span, to the two units that matter."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def age(then: datetime | None, now: datetime) -> str:
    """How long ago something was."""
    if then is None:
        return ""
    seconds = max(0, round((now - then).total_seconds()))
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def short_digest(digest: str) -> str:
    """Return the part of a digest that a person compares."""
    return digest.rpartition(":")[2][:SHORT]
