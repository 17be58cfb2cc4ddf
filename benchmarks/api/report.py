"""The figures as a JSON document and as tables."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Bar, Spread, bars_json, conditions, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.api.imports import ImportSamples
    from benchmarks.api.lists import Measured

# The limits, as shares of the bare services' figures.
LIST_SHARE = 0.4
IMPORT_SHARE = 0.3


def bars(lists: list[Measured], imports: ImportSamples) -> dict[str, Bar]:
    """Return the bars; each value is the median of the rounds, in which the servers took turns."""
    found = {
        f"{measured.name}: p50 over that of the small list": Bar.at_most(
            statistics.median(measured.growth()), measured.page.limit
        )
        for measured in lists
        if measured.page.limit is not None
    }
    for measured in lists[:2]:
        found[f"{measured.name}: requests per second over those of the bare endpoint"] = at_least(
            statistics.median(measured.share()), LIST_SHARE
        )
    found["accepted imports per second over bare commit and publish"] = at_least(
        statistics.median(imports.share()), IMPORT_SHARE
    )
    return found


def at_least(value: float, limit: float) -> Bar:
    """Return a bar for a figure with a lower limit."""
    return Bar(value=value, limit=limit, held=value >= limit)


def document(
    lists: list[Measured], imports: ImportSamples, before: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of the JSON file."""
    return {
        "bars": bars_json(bars(lists, imports)),
        "settings": dict(settings),
        "before": dict(before),
        "after": conditions(),
        "lists": {
            measured.name: {
                "few": measured.few.to_json(),
                "many": measured.many.to_json(),
                "bare": measured.bare.to_json(),
                "growth": measured.growth(),
                "share": measured.share(),
            }
            for measured in lists
        },
        "imports": imports.to_json(),
    }


def tables(lists: list[Measured], imports: ImportSamples, few: str, many: str) -> str:
    """Return the printed tables; times in milliseconds, ratios with minimum and maximum of the rounds."""
    sizes = (few, many, "bare")
    latency = ["page", *(f"{size}: p50 / p99" for size in sizes), "p50 ratio of the sizes"]
    rate = ["page", *(f"{size}: requests/s" for size in sizes), "share of bare"]
    accepted = [_spread(samples, 0) for samples in (imports.product, imports.bare)] + [_spread(imports.share(), 2)]
    return "\n\n".join(
        (
            table(latency, map(_latency_row, lists)),
            table(rate, map(_rate_row, lists)),
            table(["imports/s, accepted and published", "bare commit and publish", "share"], [accepted]),
            table(["bar", "value", "limit", "held"], _bar_rows(bars(lists, imports))),
        )
    )


def _latency_row(measured: Measured) -> list[str]:
    servers = (measured.few, measured.many, measured.bare)
    times = [f"{1000 * samples.p50():.2f} / {1000 * samples.p99():.2f}" for samples in servers]
    return [measured.name, *times, _spread(measured.growth(), 2)]


def _rate_row(measured: Measured) -> list[str]:
    rates = [f"{samples.rate():.0f}" for samples in (measured.few, measured.many, measured.bare)]
    return [measured.name, *rates, _spread(measured.share(), 2)]


def _bar_rows(found: Mapping[str, Bar]) -> list[list[str]]:
    least = (LIST_SHARE, IMPORT_SHARE)
    return [
        [name, f"{bar.value:.2f}", f"{'≥' if bar.limit in least else '≤'} {bar.limit:g}", "yes" if bar.held else "NO"]
        for name, bar in found.items()
    ]


def _spread(values: list[float], digits: int) -> str:
    return Spread.of(values).text(digits)
