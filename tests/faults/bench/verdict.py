"""What a scenario found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether the promise held, and the figures that say so: counts, seconds, lists of either. They go into JSON."""

    held: bool
    figures: Mapping[str, object]
