"""Sizes that users write, such as 40GB and 40GiB, and exact sizes that can be written back."""

import re
from collections.abc import Mapping
from fractions import Fraction

from longshore_client.terminal.figures import size

# Registries and disks count in powers of 1000 (SI), memory in powers of 1024 (IEC 80000-13). Largest first.
_POWERS = range(5, 0, -1)
_UNITS: Mapping[str, int] = {
    **{f"{'kMGTP'[power - 1]}B": 1000**power for power in _POWERS},
    **{f"{'KMGTP'[power - 1]}iB": 1024**power for power in _POWERS},
}
_BY_NAME = {"": 1, "b": 1, "byte": 1, "bytes": 1, **{unit.lower(): length for unit, length in _UNITS.items()}}
_SIZE = re.compile(r"(?P<figure>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[a-zA-Z]*)")
# The API stores 64-bit integers.
MAX_SIZE = 2**63 - 1
# Figures with more digits are not read at a glance: 1.5 GB, 250 MB, 1024 GiB.
_MAX_DIGITS = 4


def parse_size(text: str) -> int:
    """Return a size in bytes: `40GB` is 40·1000³, `40GiB` is 40·1024³, a figure alone is bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    length = _BY_NAME.get(match["unit"].lower()) if match else None
    if match is None or length is None:
        raise ValueError(f"{text!r} is no size; write it as 40GB, 1.5TB or 40GiB")
    count = Fraction(match["figure"]) * length
    if count.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    if count > MAX_SIZE:
        raise ValueError(f"{text!r} is too large")
    return int(count)


def exact_size(count: int) -> str:
    """Return a size that `parse_size` reads back without a loss: in the unit with the shortest figure."""
    figures = [(_figure(count, length), unit) for unit, length in _UNITS.items()]
    short = [(figure, unit) for figure, unit in figures if figure and len(figure.replace(".", "")) <= _MAX_DIGITS]
    if not short:
        return f"{count} bytes"
    figure, unit = min(short, key=lambda each: (len(each[0]), "i" in each[1], -_UNITS[each[1]]))
    return f"{figure} {unit}"


def about(count: int) -> str:
    """Return an exact size, with its magnitude if the figure is long."""
    exact = exact_size(count)
    return exact if not exact.endswith(" bytes") or count < _UNITS["kB"] else f"{size(count)} ({count} bytes)"


def _figure(count: int, length: int) -> str:
    """Return the figure of a size in a unit if at most two decimals are exact and it is at least 1; else nothing."""
    hundredths = Fraction(100 * count, length)
    if hundredths.denominator != 1 or count < length:
        return ""
    whole, rest = divmod(int(hundredths), 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".")
