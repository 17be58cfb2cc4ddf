"""Figures that several scenarios tell."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


def latencies(name: str, seconds: Sequence[float]) -> Mapping[str, object]:
    """Return the middle, the 99th percentile and the worst of some times, rounded to milliseconds."""
    if not seconds:
        return {name: None}
    ordered = sorted(seconds)
    late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    shown = {"p50": statistics.median(ordered), "p99": late, "worst": ordered[-1]}
    return {name: {key: round(value, 3) for key, value in shown.items()}}
