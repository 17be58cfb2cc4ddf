"""Medians with their spread, limits of figures ("bars"), and the output of both."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of some samples, with minimum and maximum."""

    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of at least one sample."""
        numbers = sorted(values)
        return cls(median=statistics.median(numbers), low=numbers[0], high=numbers[-1], samples=len(numbers))

    def text(self, digits: int = 2) -> str:
        """Return `median (low to high)`."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The value of a figure, its limit, and whether it holds; None if it could not be measured."""

    value: float | None
    limit: float
    held: bool

    @classmethod
    def at_most(cls, value: float | None, limit: float) -> Bar:
        return cls(value=value, limit=limit, held=value is not None and value <= limit)


def bars_json(bars: Mapping[str, Bar]) -> dict[str, Any]:
    """Return name → {value, limit, held}."""
    return {name: asdict(bar) for name, bar in bars.items()}


def bar_rows(bars: Mapping[str, Bar]) -> list[list[str]]:
    """Return the rows of a table of bars: name, value, limit, held."""
    return [
        [
            name,
            "not measured" if bar.value is None else f"{bar.value:.3g}",
            f"≤ {bar.limit:g}",
            "yes" if bar.held else "NO",
        ]
        for name, bar in bars.items()
    ]


def conditions() -> dict[str, Any]:
    """Return the time and the machine of a measurement; the load average shows other load."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processors": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return an aligned Markdown table."""
    cells = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def write_json(path: Path, document: object) -> None:
    """Write a report as JSON."""
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
