"""The verdict of a scenario."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the promise held, with figures for the JSON report: counts, seconds, or lists of them."""

    held: bool
    figures: Mapping[str, object]


def latencies(name: str, seconds: Sequence[float]) -> Mapping[str, object]:
    """Return the median, the 99th percentile and the maximum of some times, rounded to milliseconds."""
    if not seconds:
        return {name: None}
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    shown = {"p50": statistics.median(ordered), "p99": late, "worst": ordered[-1]}
    return {name: {key: round(value, 3) for key, value in shown.items()}}
