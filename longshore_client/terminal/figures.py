"""Figures in units for people."""

from datetime import datetime

from rich.filesize import decimal

# Hexadecimal digits of a short digest, as `docker images` shows.
SHORT_DIGEST = 12
_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


def size(count: int) -> str:
    """Return a size; units are powers of 1000, as registries count."""
    return decimal(count)


def part(done: int, total: int) -> str:
    """Return a part of a size, with one unit if both have the same."""
    first, whole = size(done), size(total)
    figure, _, unit = first.partition(" ")
    return f"{figure if unit == whole.partition(' ')[2] else first}/{whole}"


def rate(bytes_per_second: float) -> str:
    """Return bytes per second."""
    return f"{size(round(bytes_per_second))}/s"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"


def age(then: datetime | None, now: datetime) -> str:
    """Return the time since a moment, in its largest unit; empty for None."""
    if then is None:
        return ""
    seconds = max(0, round((now - then).total_seconds()))
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def short_digest(digest: str) -> str:
    """Return the first digits of a digest."""
    return digest.rpartition(":")[2][:SHORT_DIGEST]
